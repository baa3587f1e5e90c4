"""
INPUTS:  as the rule channels, whose script these share
OUTPUTS: more pictures of channels from noise: for one cell, against the channel, several that differ, by phases alone
"""


use rule channels as neuron with:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("neuron", "results/{model}/precision.csv"),
        priors=sweep.if_maco("neuron", "results/priors.h5"),
    output:
        "results/{model}/neuron/{layer}/{first}-{last}.h5",
    log:
        "results/logs/neuron/{model}/{layer}/{first}-{last}.log",
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("neuron"),
        runtime=sweep.runtime("neuron"),
    params:
        shard=sweep.told.shard("neuron"),
        code=code_digest("techniques.channels"),


use rule channels as negative with:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("negative", "results/{model}/precision.csv"),
        priors=sweep.if_maco("negative", "results/priors.h5"),
    output:
        "results/{model}/negative/{layer}/{first}-{last}.h5",
    log:
        "results/logs/negative/{model}/{layer}/{first}-{last}.log",
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("negative"),
        runtime=sweep.runtime("negative"),
    params:
        shard=sweep.told.shard("negative"),
        code=code_digest("techniques.channels"),


use rule channels as diversity with:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("diversity", "results/{model}/precision.csv"),
        priors=sweep.if_maco("diversity", "results/priors.h5"),
    output:
        "results/{model}/diversity/{layer}/{first}-{last}.h5",
    log:
        "results/logs/diversity/{model}/{layer}/{first}-{last}.log",
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("diversity"),
        runtime=sweep.runtime("diversity"),
    params:
        shard=sweep.told.shard("diversity"),
        code=code_digest("techniques.channels"),


use rule channels as maco with:
    input:
        plan=ancient("results/plan.tsv"),
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
        precision=sweep.if_auto("maco", "results/{model}/precision.csv"),
        priors=sweep.if_maco("maco", "results/priors.h5"),
    output:
        "results/{model}/maco/{layer}/{first}-{last}.h5",
    log:
        "results/logs/maco/{model}/{layer}/{first}-{last}.log",
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("maco"),
        runtime=sweep.runtime("maco"),
    params:
        shard=sweep.told.shard("maco"),
        code=code_digest("techniques.channels"),
