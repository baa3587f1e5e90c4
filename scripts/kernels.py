"""Entry point of the rule `kernels`: the weights of a model's convolutions."""

from konvolut import job

with job.logged(snakemake.log[0], f"kernels {snakemake.wildcards.model}", snakemake.threads):
    with job.imports():
        from konvolut.asked import as_json, shards
        from konvolut.techniques import kernels

    kernels.compute(as_json.from_json(shards.KernelsShard, snakemake.params.shard), snakemake.output[0])
