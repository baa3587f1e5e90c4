"""Entry point of the rule `atlas_images`: the pages of the photographs."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas images"):
    with job.imports():
        from konvolut.asked import chosen, shards, survey
        from konvolut.atlas import write
        from konvolut.atlas.inputs import ImageInputs, ImageModel

    OWN = ("activations", "saliency", "patches", "fooling")
    found = snakemake.input
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    models = []
    for identity, census, examples in zip(found.identity, found.layers, found.examples, strict=True):
        home = Path(identity).parent
        own = {name: tuple(p for p in found[name] if home in Path(p).parents) for name in OWN}
        by_layer = [p for p in found.inversion if home in Path(p).parents]
        names = list(dict.fromkeys(Path(p).parent.name for p in by_layer))
        own["inversion"] = tuple((name, tuple(p for p in by_layer if Path(p).parent.name == name)) for name in names)
        layers = tuple((Path(p).name, Path(p)) for p in found.folders if Path(p).parent.name == home.name)
        models.append(ImageModel(identity, census, layers=layers, examples=examples, **own))
    left_out = survey.problems(survey.read_survey(found.table))
    inputs = ImageInputs(shard.photographs, tuple(models), shard.settings, Path(found.classes), left_out)
    write.image_pages(inputs, Path(snakemake.output[0]))
