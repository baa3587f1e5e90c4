"""
INPUTS:  what the photographs say in each activations file, and the pooled statistics of all models
OUTPUTS: all activations of a model as one file, which refers to those that hold them;
         per unit the photographs that excite it most, with the cell, its receptive field, and the unit's distribution;
         the units that are most alike over the photographs: in its layer, in other layers, in other models;
         a table of all units with all their numbers
"""


rule examples:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
    output:
        examples="results/{model}/examples.h5",
        activations="results/{model}/activations.h5",
    log:
        "results/logs/examples/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=sweep.mem_mb("examples"),
        runtime=sweep.runtime("examples"),
    params:
        shard=sweep.told.shard("examples"),
        code=code_digest("techniques.examples"),
    script:
        "../../scripts/examples.py"


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
    threads: 2
    resources:
        mem_mb=sweep.mem_mb("alike"),
        runtime=sweep.runtime("alike"),
    params:
        shard=sweep.told.shard("alike"),
        code=code_digest("techniques.alike"),
    script:
        "../../scripts/alike.py"


rule units:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        examples="results/{model}/examples.h5",
        alike=sweep.shards("alike", "results/{model}/alike.h5"),
        trust=sweep.shards("trust", "results/{model}/trust.h5"),
        channels=sweep.shards("channels", "results/{model}/channels/{layer}/{first}-{last}.h5"),
    output:
        "results/{model}/units.csv",
    log:
        "results/logs/units/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(30),
    params:
        code=code_digest("techniques.table"),
    script:
        "../../scripts/units.py"
