"""
INPUTS:  the census and the identity of a model, the chosen photographs
OUTPUTS: each photograph dreamed on for all channels of a layer at once, at its own aspect, by octaves
"""


rule layer_dreams:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("layer_dreams", "results/{model}/precision.csv"),
        photographs=sweep.photographs("layer_dreams"),
    output:
        "results/{model}/layer_dreams/{layer}/{first}-{last}.h5",
    log:
        "results/logs/layer_dreams/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("layer_dreams"),
        runtime=sweep.runtime("layer_dreams"),
    params:
        shard=sweep.told.shard("layer_dreams"),
        code=code_digest("techniques.layer_dreams"),
    script:
        "../../scripts/layer_dreams.py"
