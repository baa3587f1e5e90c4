"""
INPUTS:  the weights of a model, where they are a file
OUTPUTS: layers.csv   the layer census: shapes, strides, receptive fields, FLOPs; one row per module
         model.json   what the model is: timm name and tag, sha256 of the weights, input size and normalisation
"""


rule inspect:
    input:
        weights=sweep.weights,
    output:
        layers="results/{model}/layers.csv",
        identity="results/{model}/model.json",
    log:
        "results/logs/inspect/{model}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        model=sweep.model_json,
        code=code_digest("network.inspection"),
    script:
        "../../scripts/inspect.py"
