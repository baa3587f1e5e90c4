"""Entry point of the rule `atlas_classes`: the pages of classes."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas classes"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import classes, write

    found = snakemake.input
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    models = []
    for identity, census in zip(found.identity, found.layers, strict=True):
        home = Path(identity).parent
        own = {name: tuple(p for p in found[name] if home in Path(p).parents) for name in ("classes", "activations")}
        layers = tuple((Path(p).name, Path(p)) for p in found.folders if Path(p).parent.name == home.name)
        models.append(classes.ClassModel(identity, census, layers=layers, **own))
    inputs = classes.ClassInputs(tuple(models), shard.photographs, shard.settings)
    write.class_pages(inputs, Path(snakemake.output[0]))
