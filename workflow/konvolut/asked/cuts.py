"""Work cut into jobs that last minutes: which units go together, and what each job asks of a scheduler. Pure.

A job takes about `job_minutes` by the calibration, or the number of units that the configuration demands. All shards of
a layer have about the same length. A job dies with what it was granted, so that it asks for more than it should need.
"""

import dataclasses
import math
from collections.abc import Sequence

from konvolut.asked.costs import Pass, Speed

# More units would only make files that nobody can send: at 0.7 MB a picture this is 0.7 GB.
MOST_UNITS = 1024
SECONDS_PER_MINUTE = 60
# Of the estimate: a busy node, a slow disk, units that are tried again.
TIMES_RUNTIME, LEAST_RUNTIME_MIN = 3, 20
# ASSUME: Python, torch and timm 0.6 GB, Snakemake's two processes beside a job on a cluster 0.3 GB, and some air.
# benchmarks/memory.py found jobs of ResNet-50 to take half of what is asked for with these.
BASE_MB, BYTES_PER_CELL, MB = 1200, 4, 1e6
# The file's, the network as it is, made ready, and in bfloat16.
WEIGHTS_COPIES = 4
COPIES = 3  # of a picture in memory: the batch, the shard, the file


@dataclasses.dataclass(frozen=True)
class Load:
    """What one unit of a technique costs: passes of a kind, bytes that it leaves, how many are computed at a time, and
    whether all are in memory at the end; `view` is how many of the model's own inputs it is in one of its passes."""

    one: Pass
    passes: float
    bytes: float
    batch: int = 1
    is_held: bool = True
    view: float = 1.0

    def seconds(self, speed: Speed) -> float:
        """Of one unit."""
        return self.passes * speed.seconds(self.one.gflop, self.one.mcells)


def cut(units: Sequence[int], load: Load, fixed: int | None, speed: Speed, job_minutes: float) -> list[Sequence[int]]:
    """The units in shards of about equal length."""
    if not len(units):
        return []
    if fixed is None:
        seconds = job_minutes * SECONDS_PER_MINUTE
        largest = min(MOST_UNITS, max(1, int(seconds / max(load.seconds(speed), seconds / MOST_UNITS))))
        size = math.ceil(len(units) / math.ceil(len(units) / largest))
    else:
        size = fixed
    return [units[first : first + size] for first in range(0, len(units), size)]


def asked_of_scheduler(load: Load, units: int, speed: Speed) -> dict[str, int]:
    """Minutes and megabytes that a job of so many units should be granted at its first attempt."""
    seconds = speed.around(units * load.bytes / MB) + units * load.seconds(speed)
    cells = load.batch * load.view * load.one.mcells * MB * BYTES_PER_CELL  # gradients are freed on the way
    held = COPIES * units * load.bytes * load.is_held
    return {
        "runtime": max(LEAST_RUNTIME_MIN, minutes(seconds)),
        "mem_mb": hundreds(BASE_MB + WEIGHTS_COPIES * load.one.weights_mb + (cells + held) / MB),
    }


def minutes(seconds: float) -> int:
    """What a job of so many seconds should be granted."""
    return math.ceil(TIMES_RUNTIME * seconds / SECONDS_PER_MINUTE)


def hundreds(megabytes: float) -> int:
    """Megabytes, rounded up."""
    return math.ceil(megabytes / 100) * 100
