"""A GPU belongs to one job at a time, whoever starts it and whatever it is called, and all of them are used."""

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
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from konvolut import lease
lease.SHARED_FOLDERS = (Path(sys.argv[2]),)
held = lease.take_gpu(1, print)
start = time.monotonic()
time.sleep(0.2)
print("device", os.environ["CUDA_VISIBLE_DEVICES"], start, time.monotonic(), flush=True)
os.kill(os.getpid(), 9)
"""


def start_job(folder, **environment):
    """A job in the environment of one user's session; `folder` is the machine's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "CUDA_"))}
    command = [sys.executable, "-c", JOB, str(PACKAGE), str(folder)]
    return subprocess.Popen(command, env={**inherited, **environment}, stdout=subprocess.PIPE, text=True)


def used_by(jobs):
    """Device, start and end of each job."""
    lines = [line.split() for job in jobs for line in job.communicate()[0].splitlines()]
    return [(line[1], float(line[2]), float(line[3])) for line in lines if line[0] == "device"]


def assert_never_shared(used):
    for device in {device for device, _, _ in used}:
        spans = sorted((start, end) for name, start, end in used if name == device)
        assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(spans)), device


@pytest.fixture
def driver(tmp_path):
    """A folder for PATH with an nvidia-smi that knows two devices."""
    tool = tmp_path / "bin/nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho '0, GPU-aa-1'\necho '1, GPU-bb-2'\n")
    tool.chmod(0o755)
    return f"{tool.parent}:{os.environ['PATH']}"


def test_eight_jobs_on_two_gpus_never_share_one_though_all_are_killed(tmp_path):
    used = used_by([start_job(tmp_path, CUDA_VISIBLE_DEVICES="3,GPU-8a") for _ in range(8)])
    assert len(used) == 8
    assert {device for device, _, _ in used} == {"3", "GPU-8a"}, "both are used"
    assert_never_shared(used)


def test_sessions_with_other_names_and_temporary_folders_share_no_gpu(tmp_path, driver):
    """Numbers, UUIDs and their beginnings mean the same two devices; one session is an allocation of Slurm's."""
    sessions = [
        {"CUDA_VISIBLE_DEVICES": "0,1", "TMPDIR": str(tmp_path / "bin")},
        {"CUDA_VISIBLE_DEVICES": "GPU-bb-2,GPU-aa"},
        {"CUDA_VISIBLE_DEVICES": "1,0", "SLURM_JOB_ID": "7"},
        {"CUDA_VISIBLE_DEVICES": "1", "SLURM_JOB_ID": "8"},
    ]
    used = used_by([start_job(tmp_path, PATH=driver, **session) for session in sessions for _ in range(2)])
    assert len(used) == 8
    assert {device for device, _, _ in used} == {"GPU-aa-1", "GPU-bb-2"}
    assert_never_shared(used)


def test_two_jobs_in_an_allocation_of_two_gpus_use_one_each_also_without_the_drivers_tool(tmp_path):
    """Another allocation's numbers are devices of its own."""
    first = [start_job(tmp_path, CUDA_VISIBLE_DEVICES="0,1", SLURM_JOB_ID="7", PATH="/nowhere") for _ in range(4)]
    other = [start_job(tmp_path, CUDA_VISIBLE_DEVICES="0,1", SLURM_JOB_ID="8", PATH="/nowhere") for _ in range(4)]
    for jobs in (first, other):
        used = used_by(jobs)
        assert {device for device, _, _ in used} == {"0", "1"}
        assert_never_shared(used)
    assert {path.name for path in tmp_path.glob("*.lock")} == {
        f"konvolut-gpu-job{job}-{device}.lock" for job in (7, 8) for device in (0, 1)
    }


def test_the_lock_lies_where_all_sessions_look_whatever_their_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    key, held = lease.lease_one(["GPU-of-a-test"], print)
    place = Path(os.readlink(f"/proc/self/fd/{held}"))
    os.close(held)
    place.unlink()
    assert (key, place.parent) == ("GPU-of-a-test", lease.SHARED_FOLDERS[0])


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


def test_the_one_device_that_slurm_gave_is_left_alone_where_nobody_knows_which_it_is(monkeypatch):
    monkeypatch.setattr(lease, "uuids", dict)
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


@pytest.mark.parametrize("profile", ["local", "slurm"])
def test_every_entry_of_a_profile_has_its_reason_beside_it(profile):
    lines = (ROOT / f"config/profiles/{profile}/config.yaml").read_text().splitlines()
    entries = [number for number, line in enumerate(lines) if re.match(r"[a-z]", line)]
    bare = [lines[number] for number in entries if "#" not in lines[number] and not lines[number - 1].startswith("#")]
    assert bare == []
