"""
INPUTS:  what photographs say of a model's units, its look-alikes, trust and kernels: files of the whole model
OUTPUTS: evidence.json, a digest per layer of what its page takes from them; one that has not changed is not made again
"""


checkpoint atlas_evidence:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        examples="results/{model}/examples.h5",
        activations=sweep.shards("activations", "results/{model}/activations/{first}-{last}.h5"),
        kernels=sweep.shards("kernels", "results/{model}/kernels.h5"),
        alike=sweep.shards("alike", "results/{model}/alike.h5"),
        trust=sweep.shards("trust", "results/{model}/trust.h5"),
    output:
        "results/{model}/evidence.json",
    log:
        "results/logs/atlas_evidence/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.atlas,
        names=sweep.shards("atlas", "{layer}"),
        code=code_digest("atlas.digests"),
    script:
        "../../scripts/atlas_evidence.py"
