"""Entry point of the rule `classes`: one shard."""

from konvolut import job

what = f"classes {snakemake.wildcards.model}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import as_json, precision, shards
        from konvolut.techniques import classes

    shard = as_json.from_json(shards.ClassesShard, snakemake.params.shard)
    shard = precision.settled(shard, snakemake.input.precision, snakemake.input.layers)
    classes.render(shard, snakemake.input.layers, snakemake.output[0], progress)
