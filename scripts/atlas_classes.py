"""Entry point of the rule `atlas_classes`: the pages of classes."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas classes"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import inputs, write

    found = snakemake.input
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, found.table)
    models = tuple(inputs.class_model(*own, found) for own in zip(found.identity, found.layers, strict=True))
    write.class_pages(inputs.ClassInputs(models, shard.photographs, shard.settings), Path(snakemake.output[0]))
