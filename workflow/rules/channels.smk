"""
INPUTS:  the census and the identity of a model; for the recipe maco what photographs have in common
OUTPUTS: for each channel the picture that excites it, from noise, with intermediates and the curve of the objective
"""


rule channels:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        priors=sweep.if_maco("results/priors.h5"),
    output:
        "results/{model}/channels/{layer}/{first}-{last}.h5",
    log:
        "results/logs/channels/{model}/{layer}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=2000,
        runtime=60,
    params:
        shard=sweep.told("channels"),
        code=code_digest("techniques.channels"),
    script:
        "../../scripts/channels.py"
