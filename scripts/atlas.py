"""Entry point of the rule `atlas`: the front page, the page about the atlas, the manifest and the assets."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas"):
    with job.imports():
        from konvolut.asked import chosen, shards, survey
        from konvolut.atlas import write
        from konvolut.atlas.inputs import FrontInputs

    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    inputs = FrontInputs(
        models=tuple(Path(page).parent for page in snakemake.input.models),
        photographs=shard.photographs,
        settings=shard.settings,
        classes=Path(snakemake.input.classes),
        images=Path(snakemake.input.images),
        remarks=survey.problems(survey.read_survey(snakemake.input.table)),
    )
    write.front_page(inputs, Path(snakemake.output.index).parent)
