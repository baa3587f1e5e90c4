"""
INPUTS:  the photographs
OUTPUTS: the strength of each wave and the covariance of the colours of photographs, for the recipe `maco`
"""


rule priors:
    input:
        table=ancient("results/photographs.tsv"),
        photographs=sweep.photographs("priors"),
    output:
        "results/priors.h5",
    log:
        "results/logs/priors.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        shard=sweep.told.priors,
        code=code_digest("pictures.priors"),
    script:
        "../../scripts/priors.py"
