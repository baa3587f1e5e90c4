"""
INPUTS:  the identity of a model
OUTPUTS: the weights of its convolutions
"""


rule kernels:
    input:
        plan=ancient("results/plan.tsv"),
        identity="results/{model}/model.json",
    output:
        "results/{model}/kernels.h5",
    log:
        "results/logs/kernels/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.shard("kernels"),
        code=code_digest("techniques.kernels"),
    script:
        "../../scripts/kernels.py"
