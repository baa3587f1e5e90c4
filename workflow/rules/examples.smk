"""
INPUTS:  the pooled statistics of all photographs
OUTPUTS: per unit the photographs that excite it most, with the cell, its receptive field, and the unit's distribution
"""


rule examples:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
    output:
        "results/{model}/examples.h5",
    log:
        "results/logs/examples/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        shard=sweep.told("examples"),
        code=code_digest("techniques.examples"),
    script:
        "../../scripts/examples.py"
