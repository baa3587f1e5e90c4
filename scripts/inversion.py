"""Entry point of the rule `inversion`: one shard."""

from konvolut import job

what = f"inversion {snakemake.wildcards.model} {snakemake.wildcards.layer}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.techniques import inversion

    shard = chosen.from_json(shards.InversionShard, snakemake.params.shard, snakemake.input.table)
    inversion.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
