"""A real Slurm on this machine (tests/slurm/start.sh): where jobs ran by its own records, and what breaks mends itself.

The results are compared with those of a run without Slurm, byte by byte. Disasters come all in one run: a job is
cancelled, one runs out of time, one out of memory, and a node's daemon is killed.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tiny_sweep import LITTLE, ROOT, command, contents, snakemake, write_sweep

CLUSTER = Path("/tmp/konvolut-slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ON_GPU = {"calibrate", "activations", "channels", "dreams", "saliency", "inversion"}
MOST_SECONDS = 280
# Small, but each ascent long enough to be interrupted.
SWEEP = LITTLE | {
    "layers": ["conv_stem", "blocks.1.0"],
    "channels": {"channels": "first:10", "steps": 96, "keep_every": 0, "size_px": 96, "units_per_batch": 1},
    "dreams": {"channels": [1], "images": ["coffee"], "longest_side_px": 64, "steps": 4},
    "inversion": {"images": ["chelsea", "coffee", "rocket"], "layers": ["blocks.1.0"], "steps": 40},
}
# Questions come faster than on a real cluster, whose controller has more to do.
HASTE = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]


@pytest.fixture(scope="module")
def slurm():
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    if missing or os.geteuid():
        pytest.skip(f"no Slurm here: {', '.join(missing) or 'needs root'} (.ci/run installs it on Debian)")
    started = subprocess.run(["bash", ROOT / "tests/slurm/start.sh"], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.skip(f"Slurm does not start here: {started.stderr.strip()}")
    os.environ["SLURM_CONF"] = str(CLUSTER / "etc/slurm.conf")
    yield
    subprocess.run(["bash", ROOT / "tests/slurm/stop.sh"], check=True)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What a run without Slurm leaves."""
    folder = tmp_path_factory.mktemp("local")
    write_sweep(folder, SWEEP)
    run = snakemake(folder)
    assert run.returncode == 0, run.stderr + run.stdout
    return contents(folder)


def jobs() -> list[dict[str, str]]:
    """Slurm's own records of all jobs, finished ones too."""
    shown = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True, check=False).stdout
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.splitlines() if "JobId=" in line]


def rule_of(job: dict[str, str]) -> str:
    """Snakemake's plugin writes the rule into the comment and into the path of the job's output."""
    return re.search(r"rule_(\w+?)/", job["StdOut"])[1]


def test_a_sweep_through_the_slurm_profile_gives_the_same_bytes_and_gpu_jobs_asked_for_a_gpu(slurm, local, tmp_path):
    write_sweep(tmp_path, SWEEP)
    run = subprocess.run(
        [*command(tmp_path, "slurm"), *HASTE], capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert contents(tmp_path) == local
    ran = jobs()
    assert {job["JobState"] for job in ran} == {"COMPLETED"}
    assert {job["NodeList"] for job in ran} == {"node1", "node2"}
    gpu = {rule_of(job) for job in ran if "gres:gpu:1" in job.get("TresPerNode", job.get("TresPerJob", ""))}
    assert gpu == ON_GPU
    assert {rule_of(job) for job in ran if job["Partition"] == "gpu"} == ON_GPU
    assert {"inspect", "identify", "examples", "atlas_layer"} <= {rule_of(job) for job in ran} - gpu
    completed = (CLUSTER / "log/jobcomp.txt").read_text().splitlines()
    assert len([line for line in completed if "JobState=COMPLETED" in line]) == len(ran)


def disastrous(folder: Path) -> list[str]:
    """The command with a profile that grants dreams too little memory and inversion a minute, at the first attempt."""
    profile = yaml.safe_load((ROOT / "config/profiles/slurm/config.yaml").read_text())
    profile["set-resources"] += ["dreams:mem_mb=250 + (attempt - 1) * 2500", "inversion:runtime=attempt"]
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))
    words = command(folder, "slurm")
    words[words.index("--workflow-profile") + 1] = str(folder / "profile")
    return [*words, *HASTE]


def running(rule: str, layer: str, kept: int, folder: Path) -> dict[str, str]:
    """Slurm's record of the running job of a rule and layer, once it has kept so many batches."""
    for _ in range(10 * MOST_SECONDS):
        batches = list(folder.glob(f"results/tiny/{rule}/{layer}/*.part/[0-9]*.h5"))
        if len(batches) >= kept:
            for job in jobs():
                if job["JobState"] == "RUNNING" and rule_of(job) == rule and f"/{layer}/" in scripts_of(job):
                    return job
        time.sleep(0.1)
    raise AssertionError(f"no job of {rule} {layer}: {(folder / 'said.txt').read_text()}")


def scripts_of(job: dict[str, str]) -> str:
    return job["Comment"] + job["StdOut"]


def test_cancelled_timed_out_starved_and_on_a_dead_node_the_run_ends_complete_without_redoing_units(
    slurm, local, tmp_path
):
    write_sweep(tmp_path, SWEEP)
    before = {job["JobId"] for job in jobs()}
    with (tmp_path / "said.txt").open("w") as said:
        run = subprocess.Popen(disastrous(tmp_path), stdout=said, stderr=subprocess.STDOUT)
    cancelled = running("channels", "conv_stem", 2, tmp_path)
    subprocess.run(["scancel", cancelled["JobId"]], check=True)
    lost = running("channels", "blocks.1.0", 2, tmp_path)
    stopped = stop_the_script_of("inversion", tmp_path)
    kill_daemon(lost["NodeList"])
    assert run.wait(MOST_SECONDS) == 0, (tmp_path / "said.txt").read_text()
    assert contents(tmp_path) == local
    states = {job["JobId"]: job["JobState"] for job in jobs() if job["JobId"] not in before}
    assert states[cancelled["JobId"]] == "CANCELLED"
    assert states[lost["JobId"]] == "NODE_FAIL"
    assert {"TIMEOUT", "OUT_OF_MEMORY", "COMPLETED"} <= set(states.values()), states
    assert stopped
    for name in ("channels/tiny/conv_stem/0-9", "channels/tiny/blocks.1.0/0-9", "inversion/tiny/blocks.1.0/0-2"):
        log = (tmp_path / f"results/logs/{name}.log").read_text()
        assert re.search(r"\([1-9]\d* of them before\)", log), (name, log)


def stop_the_script_of(rule: str, folder: Path) -> int:
    """Let a rule's first job hang in mid-run until its time is over."""
    for _ in range(10 * MOST_SECONDS):
        if list(folder.glob(f"results/tiny/{rule}/*/*.part/[0-9]*.h5")):
            for process in psutil.process_iter(["cmdline"]):
                words = " ".join(process.info["cmdline"] or [])
                if f".{rule}.py" in words and ".snakemake/scripts" in words:
                    process.send_signal(signal.SIGSTOP)
                    return process.pid
        time.sleep(0.05)
    raise AssertionError(f"no script of {rule}")


def kill_daemon(node: str) -> None:
    """Kill a node's daemon; Slurm takes the node for lost after SlurmdTimeout."""
    os.kill(int((CLUSTER / f"pid/slurmd.{node}.pid").read_text()), signal.SIGKILL)
