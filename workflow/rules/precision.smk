"""
INPUTS:  the census of a model
OUTPUTS: how fast the model is on this device in float32 and in bfloat16 and in batches of several sizes, and which
         of them its pictures are made in
"""


rule precision:
    input:
        layers="results/{model}/layers.csv",
        weights=sweep.weights,
    output:
        "results/{model}/precision.csv",
    log:
        "results/logs/precision/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.precision,
        code=code_digest("network.precision"),
    script:
        "../../scripts/precision.py"
