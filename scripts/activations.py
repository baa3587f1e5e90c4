"""Entry point of the rule `activations`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"activations {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    from konvolut.asked import shards
    from konvolut.techniques import activations

    shard = shards.from_json(shards.ActivationsShard, snakemake.params.shard)
    activations.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
