"""Entry point of the rule `alike`: the units most alike to each unit of a model."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], f"alike {snakemake.wildcards.model}", snakemake.threads) as progress:
    with job.imports():
        from konvolut.asked import as_json, shards
        from konvolut.techniques import alike

    shard = as_json.from_json(shards.AlikeShard, snakemake.params.shard)
    files = {}
    for path in map(Path, snakemake.input.activations):
        files.setdefault(path.parents[1].name, []).append(path)
    alike.find(shard, snakemake.wildcards.model, files, snakemake.output[0], progress)
