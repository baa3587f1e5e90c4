"""A real Slurm on this machine (tests/slurm/start.sh): where jobs ran by its own records, and what breaks mends itself.

The results are compared with those of a run without Slurm, byte by byte. Disasters come all in one run: a job is
cancelled, one runs out of time, one out of memory, and a node's daemon is killed.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import yaml

from tiny_sweep import LITTLE, ROOT, SPEED, command, contents, snakemake, write_sweep

CLUSTER = Path("/tmp/konvolut-slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
ON_GPU = {"calibrate", "precision", "activations", "channels", "dreams", "saliency", "inversion"}
MOST_SECONDS = 900  # on two busy cores it took 200
# Small, but each ascent long enough to be interrupted.
SWEEP = LITTLE | {
    "layers": ["conv_stem", "blocks.1.0"],
    "channels": {
        "channels": "first:10",
        "steps": 192,
        "keep_every": 0,
        "size_px": 96,
        "units_per_batch": 1,
        "precision": "float32",
    },
    "dreams": {"channels": [1], "images": ["coffee"], "longest_side_px": 64, "steps": 4, "precision": "float32"},
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
    write_sweep(folder, SWEEP, speed=SPEED)
    run = snakemake(folder)
    assert run.returncode == 0, run.stderr + run.stdout
    return contents(folder)


def jobs() -> list[dict[str, str]]:
    """Slurm's own records of all jobs, finished ones too."""
    shown = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True, check=False).stdout
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.splitlines() if "JobId=" in line]


def rule_of(job: dict[str, str]) -> str:
    """Snakemake's plugin writes the rule into the path of the job's output."""
    return re.search(r"rule_(\w+?)/", job["StdOut"])[1]


def test_a_sweep_through_the_slurm_profile_gives_the_same_bytes_and_gpu_jobs_asked_for_a_gpu(slurm, local, tmp_path):
    write_sweep(tmp_path, SWEEP)
    run = subprocess.run(
        [*command(tmp_path, "slurm"), *HASTE], capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert contents(tmp_path) == local
    ran = [job for job in jobs() if is_of(job, tmp_path)]
    assert {job["JobState"] for job in ran} == {"COMPLETED"}
    assert {job["NodeList"] for job in ran} == {"node1", "node2"}
    asked = {(rule_of(job), job.get("TresPerJob", ""), job["Partition"]) for job in ran}
    on_gpu, others = ({one for one in asked if (one[0] in ON_GPU) == is_on} for is_on in (True, False))
    assert on_gpu == {(rule, "gres:gpu:1", "gpu") for rule in ON_GPU}, "each of their jobs, in one way"
    assert {one[1:] for one in others} == {("", "cpu")}
    assert {"inspect", "identify", "examples", "atlas_layer"} <= {one[0] for one in others}
    completed = re.findall(rf"JobState=COMPLETED .*WorkDir={tmp_path} ", (CLUSTER / "log/jobcomp.txt").read_text())
    assert len(completed) == len(ran)


def disastrous(folder: Path) -> list[str]:
    """The command with a profile that at the first attempt grants dreams too little memory and inversion a minute, and
    has channels on another node than the rest: what starts on a lost node before Slurm takes it for lost fails at once,
    as often as it is tried again."""
    profile = yaml.safe_load((ROOT / "config/profiles/slurm/config.yaml").read_text())
    profile["set-resources"] += ["dreams:mem_mb=250 + (attempt - 1) * 2500", "inversion:runtime=attempt"]
    others = ("dreams", "inversion", "precision", "saliency", "activations", "examples")
    for rule, node in (("channels", "node2"), *((other, "node1") for other in others)):
        profile["set-resources"].append(f"{rule}:slurm_extra='--nodelist={node}' if attempt == 1 else ''")
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))
    words = command(folder, "slurm")
    words[words.index("--workflow-profile") + 1] = str(folder / "profile")
    return [*words, *HASTE]


def await_batches(folder: Path, rule: str, layer: str, count: int = 2) -> dict[str, str]:
    """Slurm's record of the job of a rule and layer once it has kept so many batches."""
    ends = time.monotonic() + MOST_SECONDS
    while time.monotonic() < ends:
        if len(list(folder.glob(f"results/tiny/{rule}/{layer}/*.part/[0-9]*.h5"))) >= count:
            return next(
                job for job in jobs() if rule_of(job) == rule and layer in job["Comment"] and is_of(job, folder)
            )
        time.sleep(0.05)
    raise AssertionError(f"no job of {rule} {layer}: {(folder / 'said.txt').read_text()}")


def is_of(job: dict[str, str], folder: Path) -> bool:
    return job["StdOut"].startswith(str(folder))


def cancel_a_job(folder: Path) -> str:
    job = await_batches(folder, "channels", "conv_stem")
    subprocess.run(["scancel", job["JobId"]], check=True)
    return job["JobId"]


def kill_a_nodes_daemon(folder: Path) -> str:
    """All of a job's node goes, as when the power fails; Slurm takes it for lost after SlurmdTimeout."""
    job = await_batches(folder, "channels", "blocks.1.0")
    steps = [
        process for process in psutil.process_iter() if f"slurmstepd: [{job['JobId']}." in " ".join(cmdline(process))
    ]
    of_job = [child for step in steps for child in step.children(recursive=True)]
    daemon = psutil.Process(int((CLUSTER / f"pid/slurmd.{job['NodeList']}.pid").read_text()))
    for process in (daemon, *steps, *of_job):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return job["JobId"]


def cmdline(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def let_a_job_hang(folder: Path) -> str:
    """Stop a job's script in mid-run: it lasts until its time is over."""
    job = await_batches(folder, "inversion", "blocks.1.0", count=1)
    for process in psutil.process_iter():
        words = " ".join(cmdline(process))
        if ".inversion.py" in words and str(folder) in words:
            process.send_signal(signal.SIGSTOP)
    return job["JobId"]


def test_cancelled_timed_out_starved_and_on_a_lost_node_a_sweep_ends_complete_without_redoing_units(
    slurm, local, tmp_path
):
    write_sweep(tmp_path, SWEEP, speed=SPEED)
    with (tmp_path / "said.txt").open("w") as said, ThreadPoolExecutor() as pool:
        run = subprocess.Popen(disastrous(tmp_path), stdout=said, stderr=subprocess.STDOUT)
        disasters = [pool.submit(cause, tmp_path) for cause in (cancel_a_job, kill_a_nodes_daemon, let_a_job_hang)]
        assert run.wait(MOST_SECONDS) == 0, (tmp_path / "said.txt").read_text()
        cancelled, lost, hung = (disaster.result() for disaster in disasters)
    assert contents(tmp_path) == local
    ran = [job for job in jobs() if is_of(job, tmp_path)]
    states = {job["JobId"]: job["JobState"] for job in ran}
    assert [states[job] for job in (cancelled, lost, hung)] == ["CANCELLED", "NODE_FAIL", "TIMEOUT"], states
    starved = [job["JobState"] for job in ran if rule_of(job) == "dreams"]
    assert any(state != "COMPLETED" for state in starved), states
    kept_at_least = {
        "channels/tiny/conv_stem/0-9": 2,
        "channels/tiny/blocks.1.0/0-9": 2,
        "inversion/tiny/blocks.1.0/0-2": 1,
    }
    for name, count in kept_at_least.items():  # so many batches of one unit had been seen before the disaster
        log = (tmp_path / f"results/logs/{name}.log").read_text()
        before = re.findall(r"\((\d+) of them before\)", log)
        assert before, (name, log)
        assert int(before[0]) >= count, (name, log)


def test_after_kill_9_of_the_run_the_same_command_waits_for_the_jobs_that_slurm_goes_on_with(slurm, local, tmp_path):
    """Slurm's jobs outlive the Snakemake that sent them: its successor sends others for the same results."""
    write_sweep(tmp_path, SWEEP, speed=SPEED)
    words = [*command(tmp_path, "slurm"), *HASTE, "--", "results/tiny/channels/conv_stem/0-9.h5"]
    with (tmp_path / "said.txt").open("w") as said:
        run = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)
        orphan = await_batches(tmp_path, "channels", "conv_stem", count=1)
        run.kill()
        run.wait()
        again = subprocess.run(words, stdout=said, stderr=subprocess.STDOUT, timeout=MOST_SECONDS, check=False)
    assert again.returncode == 0, (tmp_path / "said.txt").read_text()
    ends = time.monotonic() + MOST_SECONDS
    while True:  # a job that has written its result takes a moment to end
        of_shard = {job["JobId"]: job for job in jobs() if is_of(job, tmp_path) and rule_of(job) == "channels"}
        if time.monotonic() > ends or {job["JobState"] for job in of_shard.values()} <= {"COMPLETED", "FAILED"}:
            break
        time.sleep(1)
    assert {job["JobState"] for job in of_shard.values()} == {"COMPLETED"}
    assert orphan["JobId"] in of_shard
    assert len(of_shard) in (1, 2)
    if len(of_shard) == 2:  # else the orphan had come to its end before its successor looked
        log = (tmp_path / "results/logs/channels/tiny/conv_stem/0-9.log").read_text()
        assert "10/10 done (10 of them before)" in log
    name = "results/tiny/channels/conv_stem/0-9.h5"
    assert contents(tmp_path)[name] == local[name]
