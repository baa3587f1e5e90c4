"""
INPUTS:  the census of every model, the photographs, the speed of this device
OUTPUTS: plan.tsv         one row per job: technique, model, layer, channels or photographs, what it costs and may take
         photographs.tsv  one row per photograph: its size, or why it cannot be read, and what the sheet says
         report.tsv       what the sweep takes, per technique and model; needs neither weights nor pictures
"""


checkpoint plan:
    input:
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        calibration="results/calibration.tsv",
        photographs=sweep.all_photographs(),
    output:
        plan="results/plan.tsv",
        photographs="results/photographs.tsv",
    log:
        "results/logs/plan.log",
    localrule: True
    conda:
        "../envs/konvolut.yaml"
    params:
        settings=sweep.told.settings,
        code=code_digest("asked.plan"),
    script:
        "../../scripts/plan.py"


rule plan_report:
    input:
        layers=collect("results/{model}/layers.csv", model=sweep.model),
        calibration="results/calibration.tsv",
    output:
        report("results/report.tsv", category="Sweep"),
    log:
        "results/logs/plan_report.log",
    localrule: True
    conda:
        "../envs/konvolut.yaml"
    params:
        settings=sweep.told.settings,
        code=code_digest("asked.report"),
    script:
        "../../scripts/plan_report.py"
