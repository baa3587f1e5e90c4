"""Entry point of the rule `fooling`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"fooling {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.techniques import fooling

    shard = chosen.from_json(shards.FoolingShard, snakemake.params.shard, snakemake.input.table)
    fooling.compute(shard, snakemake.output[0], progress)
