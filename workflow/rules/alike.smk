"""
INPUTS:  the pooled statistics of all photographs, of every model
OUTPUTS: per unit the units that are most alike over the photographs: in its layer, in other layers, in other models
"""


rule alike:
    input:
        plan=ancient("results/plan.tsv"),
        activations=sweep.shards_of_all("activations", "results/{model}/activations/{first}-{last}.h5"),
    output:
        "results/{model}/alike.h5",
    log:
        "results/logs/alike/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        shard=sweep.told("alike"),
        code=code_digest("techniques.alike"),
    script:
        "../../scripts/alike.py"
