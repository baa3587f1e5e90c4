"""
INPUTS:  what a running sweep has finished; asked for by name, `make atlas-now`
OUTPUTS: results/atlas-now/, the gallery of what is there, and one sentence on how far the sweep is
"""


rule atlas_now:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
    output:
        "results/progress.txt",
    log:
        "results/logs/atlas_now.log",
    conda:
        "../envs/konvolut.yaml"
    threads: sweep.cpus  # a run on a cluster has no number of cores
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(120),
    params:
        atlas="results/atlas-now",
        shard=sweep.told.atlas,
        again=lambda _: "snakemake --cores all results/{model}/channels/{layer}/{channel}-{channel}.h5",
        patterns=lambda _: dict(
            layers="results/{model}/layers.csv",
            identity="results/{model}/model.json",
            examples="results/{model}/examples.h5",
            kernels="results/{model}/kernels.h5",
            alike="results/{model}/alike.h5",
            trust="results/{model}/trust.h5",
            classes="results/{model}/classes/{first}-{last}.h5",
            activations="results/{model}/activations/{first}-{last}.h5",
            channels="results/{model}/channels/{layer}/{first}-{last}.h5",
            neuron="results/{model}/neuron/{layer}/{first}-{last}.h5",
            negative="results/{model}/negative/{layer}/{first}-{last}.h5",
            diversity="results/{model}/diversity/{layer}/{first}-{last}.h5",
            maco="results/{model}/maco/{layer}/{first}-{last}.h5",
            dreams="results/{model}/dreams/{layer}/{first}-{last}.h5",
            accentuation="results/{model}/accentuation/{layer}/{first}-{last}.h5",
            layer_dreams="results/{model}/layer_dreams/{layer}/{first}-{last}.h5",
            caricature="results/{model}/caricature/{layer}/{first}-{last}.h5",
            saliency="results/{model}/saliency/{first}-{last}.h5",
            patches="results/{model}/patches/{first}-{last}.h5",
            fooling="results/{model}/fooling/{first}-{last}.h5",
            inversion="results/{model}/inversion/{layer}/{first}-{last}.h5",
        ),
    script:
        "../../scripts/atlas_now.py"
