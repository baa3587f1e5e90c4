"""Entry point of the checkpoint `atlas_evidence`: what each layer's page takes from files of the whole model."""

from konvolut import job

with job.logged(snakemake.log[0], f"atlas evidence {snakemake.wildcards.model}"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import digests
        from konvolut.atlas.inputs import LayerInputs

    found = snakemake.input
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, found.table)
    of_model = LayerInputs(
        model_json=found.identity,
        census_csv=found.layers,
        layer="",
        photographs=shard.photographs,
        settings=shard.settings,
        activations=tuple(found.activations),
        examples=found.examples,
        kernels=next(iter(found.kernels), None),
        alike=next(iter(found.alike), None),
        trust=next(iter(found.trust), None),
        examples_shown=shard.examples_shown,
    )
    digests.write(of_model, snakemake.params.names, snakemake.output[0])
