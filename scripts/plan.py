"""Entry point of the rule `plan`: the table of all shards."""

from konvolut import job

with job.logged(snakemake.log[0], "plan") as progress:
    from konvolut.asked import plan

    found = plan.Found(snakemake.input.layers, snakemake.input.identities, snakemake.input.calibration)
    plan.write_plan(snakemake.params.settings, found, tuple(snakemake.output), progress.say)
