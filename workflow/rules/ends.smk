"""
How a run begins and ends: the GPUs of this machine, the folder's lock before the first job, tidying after the last one.
"""

from konvolut import hooks
from konvolut.asked.run import Run

this_run = Run(sweep)

if "gpu" not in workflow.global_resources:  # as many jobs with a GPU at a time as there are GPUs
    workflow.register_resource("gpu", sweep.gpus)


onstart:
    if workflow.is_main_process:
        this_run.begin(workflow.dag_settings.targets)


onsuccess:
    if workflow.is_main_process:
        this_run.end(is_finished=True)


onerror:
    if workflow.is_main_process:
        this_run.end(is_finished=False)


if workflow.is_main_process and not workflow.modifier.is_main_snakefile():  # of a module these three are not called
    hooks.attach(workflow, lambda: this_run.begin(workflow.dag_settings.targets), this_run.end)
