"""Entry point of the rule `dreams`: one shard."""

from konvolut import job

what = f"dreams {snakemake.wildcards.model} {snakemake.wildcards.layer}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import chosen, precision, shards
        from konvolut.techniques import dreams

    shard = chosen.from_json(shards.DreamsShard, snakemake.params.shard, snakemake.input.table)
    shard = precision.settled(shard, snakemake.input.precision, snakemake.input.layers)
    dreams.render(shard, snakemake.input.layers, snakemake.output[0], progress)
