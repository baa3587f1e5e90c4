"""Entry point of the rule `atlas_layer`: the page of one layer with all its units."""

from konvolut import job

with job.logged(snakemake.log[0], f"atlas {snakemake.wildcards.model} {snakemake.wildcards.layer}"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import inputs, write

    asked = snakemake.wildcards
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    files = dict(snakemake.input.items()) | {"activations": snakemake.params.activations}
    found = inputs.layer_inputs(shard, asked.model, asked.layer, files, again=shard.again)
    write.layer_pages(found, snakemake.output.html, snakemake.output.folder)
