"""A GPU belongs to one job at a time, all of them are used, and what Slurm gave is left alone."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from konvolut import lease

ROOT = Path(__file__).parents[1]
PACKAGE = Path(lease.__file__).parents[1]
# Takes a GPU, writes down which one and when, works a little, and ends without giving anything back.
JOB = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from konvolut import lease
held = lease.take_gpu(1, print)
start = time.monotonic()
time.sleep(0.2)
print("device", os.environ["CUDA_VISIBLE_DEVICES"], start, time.monotonic(), flush=True)
os.kill(os.getpid(), 9)
"""


def run_jobs(count, folder, **environment):
    environment = {**os.environ, "TMPDIR": str(folder), **environment}
    environment.pop("SLURM_JOB_ID", None)
    command = [sys.executable, "-c", JOB, str(PACKAGE)]
    jobs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    lines = [line.split() for job in jobs for line in job.communicate()[0].splitlines()]
    found = [line[1:] for line in lines if line[0] == "device"]
    return [(device, float(start), float(end)) for device, start, end in found]


def test_eight_jobs_on_two_gpus_never_share_one_though_all_are_killed(tmp_path):
    used = run_jobs(8, tmp_path, CUDA_VISIBLE_DEVICES="3,GPU-8a")
    assert len(used) == 8
    assert {device for device, _, _ in used} == {"3", "GPU-8a"}, "both are used"
    for device in ("3", "GPU-8a"):
        spans = sorted((start, end) for name, start, end in used if name == device)
        assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(spans))


def test_a_job_that_waits_says_so_once(tmp_path, monkeypatch):
    first = lease.lease_one(["0"], print, tmp_path)
    said = []

    def give_back(_):
        os.close(first[1])

    monkeypatch.setattr(lease.time, "sleep", give_back)
    name, held = lease.lease_one(["0"], said.append, tmp_path)
    os.close(held)
    assert (name, said) == ("0", ["waits for one of 1 GPUs"])


@pytest.mark.parametrize(
    ("environment", "files", "expected"),
    [
        ({}, [], []),
        ({}, ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "2, 5"}, ["nvidia0"], ["2", "5"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, ["nvidia0"], []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ["nvidia0"], []),
    ],
)
def test_the_devices_are_the_users_choice_or_those_of_the_machine(tmp_path, environment, files, expected):
    for name in files:
        (tmp_path / name).touch()
    assert lease.devices(environment, tmp_path) == expected


def test_what_slurm_gave_is_left_alone():
    environment = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "1"}
    assert lease.take_gpu(1, print, environment) is None
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_job_that_asked_for_none_sees_none():
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert lease.take_gpu(0, print, environment) is None
    assert environment["CUDA_VISIBLE_DEVICES"] == ""


def rules():
    """Text of each rule by its name."""
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for text in re.split(r"^(?=rule |checkpoint )", path.read_text(), flags=re.MULTILINE)[1:]:
            yield re.match(r"\w+ (\w+)", text)[1], text


ON_GPU = sorted(name for name, text in rules() if "gpu=sweep.gpu" in text)


@pytest.mark.parametrize("rule", ON_GPU)
def test_a_rule_on_a_gpu_takes_a_lease_and_asks_slurm_for_one(rule):
    assert re.search(r"snakemake\.resources\b", (ROOT / f"scripts/{rule}.py").read_text())
    profile = (ROOT / "config/profiles/slurm/config.yaml").read_text()
    assert f"  - {rule}:slurm_partition=gpu\n  - {rule}:gpu=1\n" in profile


def test_every_rule_asks_for_more_at_each_attempt():
    fixed = [name for name, text in rules() if re.search(r"(mem_mb|runtime)=\d", text)]
    assert fixed == []
