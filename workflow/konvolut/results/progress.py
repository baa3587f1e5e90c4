"""A sweep at a glance while it runs, from its plan, its files and its logs alone: asks nothing of the run. No torch."""

import fcntl
import re
import time
from pathlib import Path

import pandas as pd

from konvolut.asked.costs import Speed
from konvolut.asked.outputs import log_of, planned_files
from konvolut.job import FAILED

STEP = re.compile(r": (\d+)/(\d+) done")
ATLAS = "atlas"  # its pages have no units
SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3600, 60
UNKNOWN = "its log ends without a word: it was killed (out of memory or time?)"


def states(plan: pd.DataFrame, results: Path) -> pd.DataFrame:
    """The plan with `state` (finished, running, failed, waiting), `done` units and, of the failed, the `reason`."""
    found = []
    for row, path in zip(plan.to_dict("records"), planned_files(plan, results), strict=True):
        log = log_of(row, results)
        if path.exists():
            found.append(("finished", row["units"], "", path.stat().st_mtime))
        elif not log.exists():
            found.append(("waiting", 0, "", 0.0))
        else:
            found.append((*_of_log(log), log.stat().st_mtime))
    columns = pd.DataFrame(found, columns=["state", "done", "reason", "changed"], index=plan.index)
    return pd.concat([plan, columns], axis=1)


def _of_log(log: Path) -> tuple[str, int, str]:
    text = log.read_text(encoding="utf-8", errors="replace")
    steps = STEP.findall(text)
    done = int(steps[-1][0]) if steps else 0
    if _is_locked(log):
        return "running", done, ""
    sentences = [line.strip() for line in text.splitlines() if FAILED in line]
    return "failed", done, sentences[-1] if sentences else f"{log.stem}: {UNKNOWN}"


def _is_locked(path: Path) -> bool:
    """Whether a job holds its log (see job.Progress)."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # not every file system has locks
            return False
    return False


def in_words(table: pd.DataFrame, speed: Speed, started: float, now: float | None = None) -> str:
    """Rows per technique, one sentence for all, and why the failed ones failed; `started` is when the run began."""
    now = time.time() if now is None else now
    lines = [f"{'technique':14}{'units':>22}{'jobs':>14}{'at work':>9}{'failed':>8}"]
    for technique, rows in table.groupby("technique", sort=False):
        count = rows["state"].value_counts()
        units = f"{rows['done'].sum():,} of {rows['units'].sum():,}" if technique != ATLAS else ""
        jobs = f"{count.get('finished', 0):,} of {len(rows):,}"
        lines.append(f"{technique:14}{units:>22}{jobs:>14}{count.get('running', 0):>9}{count.get('failed', 0):>8}")
    lines.append(_sentence(table[table["technique"] != ATLAS], speed, started, now))
    failed = table[table["state"] == "failed"]
    lines += [
        f"  {row.technique} {row.model} {row.layer} {row.first}-{row.last}: {row.reason}" for row in failed.itertuples()
    ]
    return "\n".join(lines)


def _sentence(table: pd.DataFrame, speed: Speed, started: float, now: float) -> str:
    done, total = int(table["done"].sum()), int(table["units"].sum())
    share = table["done"] / table["units"].where(table["units"] > 0, 1)
    seconds = speed.around(table["mb"]) + speed.seconds(table["gflop"], table["mcells"])
    is_new = table["changed"] >= started
    made, units = (seconds * share)[is_new].sum(), int(table["done"][is_new].sum())
    left = (seconds * (1 - share)).sum()
    said = f"konvolut: {done:,} of {total:,} units ({100 * done / max(total, 1):.0f} %)"
    if done == total or not made or now <= started:
        return said
    elapsed = now - started
    return f"{said}, {60 * units / elapsed:,.1f} a minute, about {duration(left * elapsed / made)} left"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that say something."""
    minutes = round(seconds / SECONDS_PER_MINUTE)
    hours = seconds / SECONDS_PER_HOUR
    return f"{minutes} min" if minutes < 2 * SECONDS_PER_MINUTE else f"{hours:,.1f} h"
