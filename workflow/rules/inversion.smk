"""
INPUTS:  photographs, the census
OUTPUTS: pictures with the features of each photograph in a layer: what the layer still knows
"""


rule inversion:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        photographs=sweep.photographs("inversion"),
    output:
        "results/{model}/inversion/{layer}/{first}-{last}.h5",
    log:
        "results/logs/inversion/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("inversion"),
        runtime=sweep.runtime("inversion"),
    params:
        shard=sweep.told.shard("inversion"),
        code=code_digest("techniques.inversion"),
    script:
        "../../scripts/inversion.py"
