"""
INPUTS:  the census and the identity of a model, the chosen photographs
OUTPUTS: each photograph changed for each channel, but kept near itself as an earlier layer sees it
"""


rule accentuation:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("accentuation", "results/{model}/precision.csv"),
        photographs=sweep.photographs("accentuation"),
    output:
        "results/{model}/accentuation/{layer}/{first}-{last}.h5",
    log:
        "results/logs/accentuation/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("accentuation"),
        runtime=sweep.runtime("accentuation"),
    params:
        shard=sweep.told.shard("accentuation"),
        code=code_digest("techniques.accentuation"),
    script:
        "../../scripts/accentuation.py"
