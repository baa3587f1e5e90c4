"""
OUTPUTS: how fast one job is on the device at hand: seconds per GFLOP and per million cells; measured once, then kept
"""


rule calibrate:
    output:
        "results/calibration.tsv",
    log:
        "results/logs/calibrate.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=per_attempt(2500),
        runtime=per_attempt(20),
    params:
        device=sweep.settings.device,
    script:
        "../../scripts/calibrate.py"
