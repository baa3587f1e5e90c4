"""Entry point of the rule `atlas_layer`: the page of one layer with all its units."""

from konvolut import job

with job.logged(snakemake.log[0], f"atlas {snakemake.wildcards.model} {snakemake.wildcards.layer}"):
    with job.imports():
        from konvolut.asked import chosen, recipes, shards
        from konvolut.atlas import write
        from konvolut.atlas.inputs import LayerInputs

    OPTIMISED = (*recipes.FROM_NOISE, "dreams", "accentuation", "layer_dreams", "caricature")
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    inputs = LayerInputs(
        model_json=snakemake.input.identity,
        census_csv=snakemake.input.layers,
        layer=snakemake.wildcards.layer,
        photographs=shard.photographs,
        settings=shard.settings,
        **{name: tuple(snakemake.input[name]) for name in OPTIMISED},
        activations=tuple(snakemake.params.activations),
        examples=snakemake.input.examples,
        kernels=next(iter(snakemake.input.kernels), None),
        alike=next(iter(snakemake.input.alike), None),
        trust=next(iter(snakemake.input.trust), None),
        examples_shown=shard.examples_shown,
        alike_from=shard.alike_from,
        again=shard.again,
        class_names=dict(shard.class_names).get(snakemake.wildcards.model, ()),
    )
    write.layer_pages(inputs, snakemake.output.html, snakemake.output.folder)
