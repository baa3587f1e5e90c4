"""Entry point of the rule `plan_report`: what a sweep will take, printed and written."""

from konvolut import job

with job.logged(snakemake.log[0], "plan_report"):
    with job.imports():
        from konvolut.asked import report

    report.write_report(
        snakemake.params.settings, snakemake.input.layers, snakemake.input.calibration, snakemake.output[0]
    )
