"""Entry point of the rule `precision`: one model on this device."""

from konvolut import job

what = f"precision {snakemake.wildcards.model}"
with job.logged(snakemake.log[0], what, snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.asked import as_json, shards
        from konvolut.network import precision

    shard = as_json.from_json(shards.PrecisionShard, snakemake.params.shard)
    precision.choose(shard, snakemake.input.layers, snakemake.output[0], progress.say)
