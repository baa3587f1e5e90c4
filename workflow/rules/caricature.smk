"""
INPUTS:  the census and the identity of a model, the chosen photographs
OUTPUTS: from noise, pictures that have more of what a layer sees in each photograph
"""


rule caricature:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("caricature", "results/{model}/precision.csv"),
        photographs=sweep.photographs("caricature"),
    output:
        "results/{model}/caricature/{layer}/{first}-{last}.h5",
    log:
        "results/logs/caricature/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("caricature"),
        runtime=sweep.runtime("caricature"),
    params:
        shard=sweep.told.shard("caricature"),
        code=code_digest("techniques.caricature"),
    script:
        "../../scripts/caricature.py"
