"""
INPUTS:  the census and the identity of a model
OUTPUTS: for each class and regularisation the picture that the model takes for it, from noise, and the way there
"""


rule classes:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("classes", "results/{model}/precision.csv"),
    output:
        "results/{model}/classes/{first}-{last}.h5",
    log:
        "results/logs/classes/{model}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("classes"),
        runtime=sweep.runtime("classes"),
    params:
        shard=sweep.told.shard("classes"),
        code=code_digest("techniques.classes"),
    script:
        "../../scripts/classes.py"
