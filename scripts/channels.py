"""Entry point of the rules `channels`, `neuron`, `negative`, `diversity` and `maco`: one shard."""

from konvolut import job

what = f"{snakemake.rule} {snakemake.wildcards.model} {snakemake.wildcards.layer}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import as_json, precision, shards
        from konvolut.techniques import channels

    shard = as_json.from_json(shards.ChannelsShard, snakemake.params.shard)
    shard = precision.settled(shard, snakemake.input.precision, snakemake.input.layers)
    priors = next(iter(snakemake.input.priors), None)
    channels.render(shard, snakemake.input.layers, snakemake.output[0], progress, priors)
