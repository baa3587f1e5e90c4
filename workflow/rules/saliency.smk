"""
INPUTS:  photographs, the census
OUTPUTS: attribution maps of the predicted and the given classes: where on a photograph a class is decided
"""


rule saliency:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        photographs=sweep.photographs("saliency"),
    output:
        "results/{model}/saliency/{first}-{last}.h5",
    log:
        "results/logs/saliency/{model}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("saliency"),
        runtime=sweep.runtime("saliency"),
    params:
        shard=sweep.told.shard("saliency"),
        code=code_digest("techniques.saliency"),
    script:
        "../../scripts/saliency.py"
