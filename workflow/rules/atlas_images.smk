"""
INPUTS:  what each model made of the photographs, and the pages of layers and classes
OUTPUTS: a page per photograph, and the list of them
"""


rule atlas_images:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        photographs=sweep.photographs("atlas"),
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        identity=collect("results/{model}/model.json", model=sweep.model),
        examples=collect("results/{model}/examples.h5", model=sweep.model),
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
        saliency=sweep.shards("saliency", "results/{model}/saliency/{first}-{last}.h5"),
        patches=sweep.shards("patches", "results/{model}/patches/{first}-{last}.h5"),
        fooling=sweep.shards("fooling", "results/{model}/fooling/{first}-{last}.h5"),
        inversion=sweep.shards("inversion", "results/{model}/inversion/{layer}/{first}-{last}.h5"),
        # Which layers' pages change is known with it: until then those that stand would be read.
        evidence=ancient(collect("results/{model}/evidence.json", model=sweep.model)),
        folders=sweep.shards("atlas", "results/atlas/{model}/{layer}"),
        classes="results/atlas/classes",
    output:
        directory("results/atlas/images"),
    log:
        "results/logs/atlas_images.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.atlas,
        code=code_digest("atlas.write"),
    script:
        "../../scripts/atlas_images.py"
