"""Entry point of the rule `activations`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"activations {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.get("gpu", 0)
) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.techniques import activations

    shard = chosen.from_json(shards.ActivationsShard, snakemake.params.shard, snakemake.input.table)
    activations.compute(shard, snakemake.input.layers, snakemake.output[0], progress)
