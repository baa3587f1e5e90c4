"""Entry point of the rule `fooling`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"fooling {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    from konvolut.asked import shards
    from konvolut.techniques import fooling

    shard = shards.from_json(shards.FoolingShard, snakemake.params.shard)
    fooling.compute(shard, snakemake.output[0], progress)
