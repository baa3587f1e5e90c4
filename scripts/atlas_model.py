"""Entry point of the rule `atlas_model`: the page of one model, from its layers' folders."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], f"atlas {snakemake.wildcards.model}"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import write
        from konvolut.atlas.inputs import ModelInputs

    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    inputs = ModelInputs(
        model_json=snakemake.input.identity,
        census_csv=snakemake.input.layers,
        layers=tuple((Path(folder).name, Path(folder)) for folder in snakemake.input.folders),
        settings=shard.settings,
    )
    write.model_page(inputs, Path(snakemake.output.html))
