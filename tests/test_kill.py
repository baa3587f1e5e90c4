"""Whatever ends a run, the same command goes on: nothing is lost, nothing is made twice, and a sentence says so."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import kills
from tiny_sweep import LITTLE, ROOT, contents, write_sweep

SEED = 7
KILLS = 3
# Little but ascents, in many small batches.
SMALL = LITTLE | {
    "layers": ["conv_stem", "blocks.1.0"],
    "channels": {
        "channels": "first:12",
        "steps": 64,
        "keep_every": 0,
        "size_px": 96,
        "units_per_batch": 2,
        "precision": "float32",
    },
    "dreams": {"images": []},
    "inversion": {"images": ["coffee", "rocket"], "layers": ["blocks.1.0"], "steps": 40},
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The folder of an undisturbed run, what it left, and how long it took."""
    folder = tmp_path_factory.mktemp("quiet")
    write_sweep(folder, SMALL)
    started = time.monotonic()
    made, total, _ = kills.run_with_kills(folder, [])
    assert made == total > 0
    return folder, contents(folder), time.monotonic() - started


def test_after_kills_at_random_moments_the_results_are_the_same_and_no_unit_was_made_twice(quiet, tmp_path):
    _, expected, seconds = quiet
    moments = [random.Random(SEED + number).uniform(0.2, 0.8) * seconds for number in range(KILLS)]
    write_sweep(tmp_path, SMALL)
    made, total, struck = kills.run_with_kills(tmp_path, moments)
    assert struck
    assert contents(tmp_path) == expected
    assert made <= total
    assert not list(tmp_path.glob("results/*/*/**/*.part"))


ENDINGS = {
    "SIGTERM": [signal.SIGTERM],
    "SIGINT twice": [signal.SIGINT, signal.SIGINT],
}


@pytest.mark.parametrize("signals", ENDINGS.values(), ids=ENDINGS)
def test_a_run_that_is_told_to_end_says_how_to_go_on(quiet, tmp_path, signals):
    folder = shutil.copytree(quiet[0], tmp_path / "sweep", copy_function=shutil.copy2)
    shutil.rmtree(folder / "results/tiny/channels")
    (folder / "said.txt").unlink()
    run = kills.start(folder)
    wait_for_a_part(folder)
    for number in signals:
        os.kill(run.pid, number)
        time.sleep(0.5)
    assert run.wait(60) != 0
    said = (folder / "said.txt").read_text()
    assert "the same command goes on" in said


JOB = """
import sys, time
from konvolut import job
with job.logged(sys.argv[1], "one job") as progress:
    progress(int(sys.argv[2]), 9)
    print("begins", time.monotonic(), flush=True)
    time.sleep(float(sys.argv[3]))
    print("ends", time.monotonic(), flush=True)
"""


def start_job(log, number, seconds):
    words = [sys.executable, "-c", JOB, str(log), str(number), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_job_for_the_same_result_waits_for_the_first_and_leaves_its_log_alone(tmp_path):
    first = start_job(tmp_path / "one.log", 3, 2)
    begun = [first.stdout.readline()]
    second = start_job(tmp_path / "one.log", 4, 0)
    ended = float(first.communicate()[0].split()[1])
    said = second.communicate()
    assert float(said[0].split()[1]) >= ended > float(begun[0].split()[1])
    assert said[1].count("waits for another job that makes the same") == 1
    assert (tmp_path / "one.log").read_text().count("4/9 done") == 1
    assert "3/9" not in (tmp_path / "one.log").read_text(), "each job begins its log anew"


def test_a_job_whose_rival_was_killed_goes_on_at_once(tmp_path):
    first = start_job(tmp_path / "one.log", 3, 60)
    first.stdout.readline()
    second = start_job(tmp_path / "one.log", 4, 0)
    assert "waits for another job" in second.stderr.readline()
    first.kill()
    assert second.wait(20) == 0


def wait_for_a_part(folder):
    for _ in range(3000):
        if list(folder.glob("results/*/channels/*/*.part/*.h5")):
            return
        time.sleep(0.1)
    raise AssertionError((folder / "said.txt").read_text())
