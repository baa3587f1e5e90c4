"""Entry point of the rule `inspect`: the layer census of a model."""

from konvolut import job

with job.logged(snakemake.log[0], f"inspect {snakemake.wildcards.model}", snakemake.threads):
    with job.imports():
        from konvolut.network import inspection

    inspection.inspect(snakemake.params.model, snakemake.output[0])
