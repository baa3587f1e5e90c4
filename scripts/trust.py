"""Entry point of the rule `trust`: how far the pictures of a model's channels can be trusted."""

from pathlib import Path

from konvolut import job

with job.logged(
    snakemake.log[0], f"trust {snakemake.wildcards.model}", snakemake.threads, snakemake.resources.gpu
) as progress:
    with job.imports():
        from konvolut.asked import as_json, shards
        from konvolut.techniques import trust

    found = snakemake.input
    census, examples = ({Path(p).parent.name: Path(p) for p in paths} for paths in (found.layers, found.examples))
    files = trust.Files(census, examples, found.activations, found.alike, found.channels)
    shard = as_json.from_json(shards.TrustShard, snakemake.params.shard)
    trust.judge(shard, files, snakemake.output[0], progress)
