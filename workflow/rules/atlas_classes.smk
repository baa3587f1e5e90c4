"""
INPUTS:  pictures of classes, answers of the models
OUTPUTS: a page per class, and the list of them
"""


rule atlas_classes:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        identity=collect("results/{model}/model.json", model=sweep.model),
        classes=sweep.shards("classes", "results/{model}/classes/{first}-{last}.h5"),
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
        # Which layers' pages change is known with it: until then those that stand would be read.
        evidence=ancient(collect("results/{model}/evidence.json", model=sweep.model)),
        folders=sweep.shards("atlas", "results/atlas/{model}/{layer}"),
    output:
        directory("results/atlas/classes"),
    log:
        "results/logs/atlas_classes.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.atlas,
        code=code_digest("atlas.write"),
    script:
        "../../scripts/atlas_classes.py"
