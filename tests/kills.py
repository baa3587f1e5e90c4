"""A sweep that is killed with all its jobs at given moments and started again by the same command each time."""

import os
import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tiny_sweep import command

DONE = re.compile(r": (\d+)/(\d+) done(?: \((\d+) of them before\))?")
MOST_SECONDS = 300


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """A run in a process group of its own, that hears SIGINT even where the tests run in a shell's background."""
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(
            [*command(folder), *arguments],
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def run_with_kills(folder: Path, moments: Iterable[float]) -> tuple[int, int, int]:
    """Kill the run so many seconds after each start, until one comes to its end before or there are no more moments.

    Returns how many units its jobs have made in all, how many there are, and how many kills have struck a run.
    """
    seen, struck = set(), 0
    for moment in moments:
        run = start(folder)
        try:
            run.wait(moment)
            break
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            struck += 1
            seen |= logs(folder)
    run = start(folder)
    assert run.wait(MOST_SECONDS) == 0, (folder / "said.txt").read_text()
    return sum(map(made_by, seen | logs(folder))), sum(map(total_of, logs(folder))), struck


def logs(folder: Path) -> set[tuple[str, float, str]]:
    """The logs of the jobs that keep parts, each with the time of its beginning."""
    found = (folder / "results/logs").glob("[cdfips]*/**/*.log")
    return {(str(path), path.stat().st_ctime, path.read_text()) for path in found if DONE.search(path.read_text())}


def made_by(log: tuple[str, float, str]) -> int:
    """How many units a job has made and kept."""
    steps = DONE.findall(log[2])
    return int(steps[-1][0]) - int(steps[0][2] or 0)


def total_of(log: tuple[str, float, str]) -> int:
    return int(DONE.search(log[2])[2])
