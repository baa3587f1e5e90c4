"""
INPUTS:  the census of every model, the photographs
OUTPUTS: plan.tsv         one row per job: technique, model, layer, channels or photographs, image passes, GFLOP
         photographs.tsv  one row per photograph: its size, or why it cannot be read
"""


checkpoint plan:
    input:
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        photographs=[photograph.path for photograph in sweep.settings.images],
    output:
        plan="results/plan.tsv",
        photographs="results/photographs.tsv",
    log:
        "results/logs/plan.log",
    conda:
        "../envs/konvolut.yaml"
    params:
        settings=sweep.settings_json,
        code=code_digest("asked.plan"),
    script:
        "../../scripts/plan.py"
