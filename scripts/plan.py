"""Entry point of the rule `plan`: the table of all shards."""

from konvolut import job

with job.logged(snakemake.log[0], "plan") as progress:
    from konvolut.asked import plan

    plan.write_plan(snakemake.params.settings, snakemake.input.layers, *snakemake.output, progress.say)
