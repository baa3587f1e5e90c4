"""Entry point of the rule `plan`: the table of all shards."""

from konvolut import job

with job.logged(snakemake.log[0], "plan") as progress:
    with job.imports():
        from konvolut.asked import plan

    found = snakemake.input
    plan.write_plan(snakemake.params.settings, found.layers, found.calibration, tuple(snakemake.output), progress.say)
