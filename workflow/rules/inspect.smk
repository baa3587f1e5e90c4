"""
INPUTS:  for the identity the weights of a model, where they are a file
OUTPUTS: layers.csv   the layer census: shapes, strides, receptive fields, FLOPs; one row per module; needs no weights
         model.json   what the model is: timm name and tag, sha256 of the weights, input size and normalisation
"""


rule inspect:
    output:
        "results/{model}/layers.csv",
    log:
        "results/logs/inspect/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        model=sweep.told.architecture,
        code=code_digest("network.inspection"),
    script:
        "../../scripts/inspect.py"


rule identify:
    input:
        weights=sweep.weights,
    output:
        "results/{model}/model.json",
    log:
        "results/logs/identify/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        model=sweep.told.model,
        code=code_digest("network.inspection"),
    script:
        "../../scripts/identify.py"
