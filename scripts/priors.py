"""Entry point of the rule `priors`."""

from konvolut import job

with job.logged(snakemake.log[0], "priors", snakemake.threads) as progress:
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.pictures import priors

    shard = chosen.from_json(shards.PriorsShard, snakemake.params.shard, snakemake.input.table)
    priors.write(shard, snakemake.output[0], progress)
