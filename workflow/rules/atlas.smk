"""
INPUTS:  every result of the sweep
OUTPUTS: the gallery: a page per layer (with all its units), per model and per photograph, and the front page
"""


include: "atlas_evidence.smk"
include: "atlas_classes.smk"
include: "atlas_images.smk"


rule atlas_layer:
    input:
        unpack(
            sweep.named_shards(
                channels="results/{model}/channels/{layer}/{first}-{last}.h5",
                neuron="results/{model}/neuron/{layer}/{first}-{last}.h5",
                negative="results/{model}/negative/{layer}/{first}-{last}.h5",
                diversity="results/{model}/diversity/{layer}/{first}-{last}.h5",
                maco="results/{model}/maco/{layer}/{first}-{last}.h5",
                dreams="results/{model}/dreams/{layer}/{first}-{last}.h5",
                accentuation="results/{model}/accentuation/{layer}/{first}-{last}.h5",
                layer_dreams="results/{model}/layer_dreams/{layer}/{first}-{last}.h5",
                caricature="results/{model}/caricature/{layer}/{first}-{last}.h5",
            )
        ),
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        evidence=ancient(lambda wildcards: checkpoints.atlas_evidence.get(model=wildcards.model).output[0]),
        examples=ancient("results/{model}/examples.h5"),
        kernels=ancient(sweep.shards("kernels", "results/{model}/kernels.h5")),
        alike=ancient(sweep.shards("alike", "results/{model}/alike.h5")),
        trust=ancient(sweep.shards("trust", "results/{model}/trust.h5")),
    output:
        html="results/atlas/{model}/{layer}.html",
        folder=directory("results/atlas/{model}/{layer}"),
    log:
        "results/logs/atlas_layer/{model}/{layer}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.atlas,
        # The evidence is newer than these, which would be hundreds of inputs of each of thousands of pages.
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
        evidence=lambda wildcards: sweep.told.evidence(checkpoints.atlas_evidence, wildcards),
        code=code_digest("atlas.write"),
    script:
        "../../scripts/atlas_layer.py"


rule atlas_model:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        # Which layers' pages change is known with it: until then those that stand would be read.
        evidence=ancient("results/{model}/evidence.json"),
        folders=sweep.shards("atlas", "results/atlas/{model}/{layer}"),
    output:
        html="results/atlas/{model}/index.html",
        summary=report("results/atlas/{model}/summary.json", category="Models"),
        names="results/atlas/{model}/layers.js",
    log:
        "results/logs/atlas_model/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        shard=sweep.told.atlas,
        code=code_digest("atlas.write"),
    script:
        "../../scripts/atlas_model.py"


rule atlas:
    input:
        plan="results/plan.tsv",
        table="results/photographs.tsv",
        models=collect("results/atlas/{model}/index.html", model=sweep.model),
        images="results/atlas/images",
        classes="results/atlas/classes",
    output:
        index="results/atlas/index.html",
        about="results/atlas/about.html",
        manifest="results/atlas/manifest.json",
        assets=directory("results/atlas/assets"),
    log:
        "results/logs/atlas.log",
    conda:
        "../envs/konvolut.yaml"
    params:
        shard=sweep.told.atlas,
        code=code_digest("atlas.write"),
    script:
        "../../scripts/atlas.py"


include: "atlas_now.smk"  # the same of what is there, when somebody asks
