"""Entry point of the rule `patches`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"patches {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    from konvolut.asked import shards
    from konvolut.techniques import patches

    shard = shards.from_json(shards.PatchesShard, snakemake.params.shard)
    patches.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
