"""Entry point of the rule `examples`: what excites each unit of a model most."""

from konvolut import job

with job.logged(snakemake.log[0], f"examples {snakemake.wildcards.model}"):
    with job.imports():
        from konvolut.asked import as_json, shards
        from konvolut.techniques import examples

    shard = as_json.from_json(shards.ExamplesShard, snakemake.params.shard)
    found, made = snakemake.input, snakemake.output
    examples.reduce(shard, found.layers, found.activations, made.examples, made.activations)
