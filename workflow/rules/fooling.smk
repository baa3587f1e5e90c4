"""
INPUTS:  photographs
OUTPUTS: each photograph changed until the model takes it for another class, and by how much it was changed
"""


rule fooling:
    input:
        plan=ancient("results/plan.tsv"),
        table=ancient("results/photographs.tsv"),
        identity="results/{model}/model.json",
        photographs=sweep.photographs("fooling"),
    output:
        "results/{model}/fooling/{first}-{last}.h5",
    log:
        "results/logs/fooling/{model}/{first}-{last}.log",
    conda:
        "../envs/konvolut.yaml"
    resources:
        gpu=sweep.gpu,
        mem_mb=sweep.mem_mb("fooling"),
        runtime=sweep.runtime("fooling"),
    params:
        shard=sweep.told.shard("fooling"),
        code=code_digest("techniques.fooling"),
    script:
        "../../scripts/fooling.py"
