"""Entry point of the rule `inspect`: the layer census and the identity of a model."""

from konvolut import job

with job.logged(snakemake.log[0], f"inspect {snakemake.wildcards.model}", snakemake.threads):
    from konvolut.network import inspection

    inspection.inspect(snakemake.params.model, layers=snakemake.output.layers, identity=snakemake.output.identity)
