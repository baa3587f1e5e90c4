"""Entry point of the rule `units`: the table of a model's units."""

from konvolut import job

with job.logged(snakemake.log[0], f"units {snakemake.wildcards.model}"):
    with job.imports():
        from konvolut.techniques import table

    found = snakemake.input
    alike, trust = (next(iter(paths), None) for paths in (found.alike, found.trust))
    table.write(found.layers, found.examples, alike, trust, found.channels, snakemake.output[0])
