"""Entry point of the rule `accentuation`: one shard."""

from konvolut import job

what = f"accentuation {snakemake.wildcards.model} {snakemake.wildcards.layer}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import chosen, precision, shards
        from konvolut.techniques import accentuation

    shard = chosen.from_json(shards.AccentuationShard, snakemake.params.shard, snakemake.input.table)
    shard = precision.settled(shard, snakemake.input.precision, snakemake.input.layers)
    accentuation.render(shard, snakemake.input.layers, snakemake.output[0], progress)
