"""
INPUTS:  the census and the identity of a model; for the recipe maco what photographs have in common
OUTPUTS: for each channel the picture that excites it, from noise, with intermediates and the curve of the objective;
         how far these can be trusted, where look-alikes are known
"""


rule channels:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("channels", "results/{model}/precision.csv"),
        priors=sweep.if_maco("channels", "results/priors.h5"),
    output:
        "results/{model}/channels/{layer}/{first}-{last}.h5",
    log:
        "results/logs/channels/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("channels"),
        runtime=sweep.runtime("channels"),
    params:
        shard=sweep.told.shard("channels"),
        code=code_digest("techniques.channels"),
    script:
        "../../scripts/channels.py"


rule trust:
    input:
        plan=ancient("results/plan.tsv"),
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        examples=collect("results/{model}/examples.h5", model=sweep.model),
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
        alike="results/{model}/alike.h5",
        channels=sweep.shards("channels", "results/{model}/channels/{layer}/{first}-{last}.h5"),
    output:
        "results/{model}/trust.h5",
    log:
        "results/logs/trust/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("trust"),
        runtime=sweep.runtime("trust"),
    params:
        shard=sweep.told.shard("trust"),
        code=code_digest("techniques.trust"),
    script:
        "../../scripts/trust.py"
