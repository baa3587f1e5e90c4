"""Entry point of the rule `channels`: one shard."""

from konvolut import job

with job.logged(
    snakemake.log[0], f"channels {snakemake.wildcards.model} {snakemake.wildcards.layer}", snakemake.threads
) as progress:
    from konvolut import channels, shards

    shard = shards.from_json(shards.ChannelsShard, snakemake.params.shard)
    channels.render(shard, snakemake.input.layers, snakemake.output[0], progress)
