"""Entry point of the rule `atlas_images`: the pages of the photographs."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas images"):
    with job.imports():
        from konvolut.asked import chosen, shards, survey
        from konvolut.atlas import inputs, write

    found = snakemake.input
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, found.table)
    own = zip(found.identity, found.layers, found.examples, strict=True)
    models = tuple(inputs.image_model(*paths, found) for paths in own)
    left_out = survey.problems(survey.read_survey(found.table))
    asked = inputs.ImageInputs(shard.photographs, models, shard.settings, Path(found.classes), left_out)
    write.image_pages(asked, Path(snakemake.output[0]))
