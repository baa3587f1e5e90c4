"""
INPUTS:  photographs, the census
OUTPUTS: the squares of each photograph whose hiding lowers its likeliest class most
"""


rule patches:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        photographs=sweep.photographs("patches"),
    output:
        "results/{model}/patches/{first}-{last}.h5",
    log:
        "results/logs/patches/{model}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("patches"),
        runtime=sweep.runtime("patches"),
    params:
        shard=sweep.told.shard("patches"),
        code=code_digest("techniques.patches"),
    script:
        "../../scripts/patches.py"
