"""
INPUTS:  the census of every model
OUTPUTS: plan.tsv     one row per job: technique, model, layer, channels or photographs, image passes, GFLOP
"""


checkpoint plan:
    input:
        collect("results/{model}/layers.csv", model=sweep.model),
    output:
        plan="results/plan.tsv",
    log:
        "results/logs/plan.log",
    conda:
        "../envs/konvolut.yaml"
    params:
        settings=sweep.settings_json,
        code=code_digest("plan"),
    script:
        "../../scripts/plan.py"
