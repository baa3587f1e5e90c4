"""Entry point of the rule `identify`: which weights a model has."""

from konvolut import job

with job.logged(snakemake.log[0], f"identify {snakemake.wildcards.model}", snakemake.threads):
    with job.imports():
        from konvolut.network import inspection

    inspection.identify(snakemake.params.model, snakemake.output[0])
