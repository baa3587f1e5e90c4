"""Entry point of the checkpoint `atlas_evidence`: what each layer's page takes from files of the whole model."""

from konvolut import job

with job.logged(snakemake.log[0], f"atlas evidence {snakemake.wildcards.model}"):
    with job.imports():
        from konvolut.asked import chosen, shards
        from konvolut.atlas import digests, inputs

    files = dict(snakemake.input.items())
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, files["table"])
    of_model = inputs.layer_inputs(shard, snakemake.wildcards.model, "", files)
    digests.write(of_model, snakemake.params.names, snakemake.output[0])
