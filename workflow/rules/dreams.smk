"""
INPUTS:  the census and the identity of a model, the chosen photographs
OUTPUTS: each photograph dreamed on for each channel, at its own aspect, with intermediates and curve
"""


rule dreams:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("dreams", "results/{model}/precision.csv"),
        photographs=sweep.photographs("dreams"),
    output:
        "results/{model}/dreams/{layer}/{first}-{last}.h5",
    log:
        "results/logs/dreams/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("dreams"),
        runtime=sweep.runtime("dreams"),
    params:
        shard=sweep.told.shard("dreams"),
        code=code_digest("techniques.dreams"),
    script:
        "../../scripts/dreams.py"
