"""Entry point of the rule `patches`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"patches {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.techniques import patches

    shard = chosen.from_json(shards.PatchesShard, snakemake.params.shard, snakemake.input.table)
    patches.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
