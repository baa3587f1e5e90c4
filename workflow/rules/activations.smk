"""
INPUTS:  photographs, the census
OUTPUTS: maps and pooled statistics of every layer asked for, and the five likeliest classes; one row per photograph
"""


rule activations:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        photographs=sweep.photographs("activations"),
    output:
        "results/{model}/activations/{first}-{last}.h5",
    log:
        "results/logs/activations/{model}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("activations"),
        runtime=sweep.runtime("activations"),
    params:
        shard=sweep.told.shard("activations"),
        code=code_digest("techniques.activations"),
    script:
        "../../scripts/activations.py"
