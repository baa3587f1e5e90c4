"""Entry point of the rule `saliency`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"saliency {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.techniques import saliency

    shard = chosen.from_json(shards.SaliencyShard, snakemake.params.shard, snakemake.input.table)
    saliency.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
