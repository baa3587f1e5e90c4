"""Entry point of the rule `atlas_now`: the atlas of a sweep that has not ended."""

from pathlib import Path

from konvolut import job

with job.logged(snakemake.log[0], "atlas of what is there") as progress:
    with job.imports():
        from konvolut.asked import chosen, plan, shards
        from konvolut.atlas import running

    found = running.Sources(plan.read_plan(snakemake.input.plan), snakemake.params.patterns, snakemake.params.again)
    shard = chosen.from_json(shards.AtlasShard, snakemake.params.shard, snakemake.input.table)
    sentence = running.build(found, shard, Path(snakemake.params.atlas), snakemake.threads)
    progress.say(sentence)
    Path(snakemake.output[0]).write_text(sentence + "\n", encoding="utf-8")
