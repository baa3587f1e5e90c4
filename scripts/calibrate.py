"""Entry point of the rule `calibrate`: how fast this device is."""

from konvolut import job

with job.logged(snakemake.log[0], "calibrate", snakemake.threads, snakemake.resources.gpu) as progress:
    with job.imports():
        from konvolut.techniques import calibration

    calibration.calibrate(snakemake.params.device, snakemake.output[0], progress.waited)
