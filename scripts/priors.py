"""Entry point of the rule `priors`."""

from konvolut import job

with job.logged(snakemake.log[0], "priors", snakemake.threads) as progress:
    from konvolut.asked import shards
    from konvolut.pictures import priors

    shard = shards.from_json(shards.PriorsShard, snakemake.params.shard)
    priors.write(shard, snakemake.output[0], progress)
