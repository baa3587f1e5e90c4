"""What the jobs of a whole model, after its photographs and pictures, ask of a scheduler: examples, alike, trust. Pure.

Each is told as `runtime` in minutes and `mem_mb`, granted at its first attempt.
"""

import math
from collections.abc import Sequence

from konvolut.asked.costs import FORWARD, Pass, Speed
from konvolut.asked.cuts import BASE_MB, BYTES_PER_CELL, COPIES, MB, WEIGHTS_COPIES, hundreds, minutes

# Of what one file of activations says of one unit: read, unpacked and merged into what is known of it, on a busy core;
# and what a unit holds in memory meanwhile, two parts of 6.8 KB and what sorting them together takes.
SECONDS_PER_MERGE, MERGE_BYTES = 2e-4, 40_000
# ASSUME: enough for gradients of the network, by which effective fields are found where fields are not exact.
EXAMPLES_LEAST_MIN, EXAMPLES_LEAST_MB = 60, 4000
# Look-alikes hold so many bytes of maxima of a model's own units at once, and walk through all models' for each part.
ALIKE_BYTES, ALIKE_LEAST_MIN, ALIKE_MB = 2**31, 120, 4000
# ASSUME: of two slow cores that multiply, and of results that are read and unpacked.
FLOP_PER_SECOND, READ_MB_PER_SECOND = 6e10, 200
TRUST_LEAST_MIN, TRUST_LEAST_MB = 60, 2000


def asked_for_examples(units: int, files: int) -> dict[str, int]:
    """Of the job that merges what so many files of activations say of each of so many units."""
    return {
        "runtime": max(EXAMPLES_LEAST_MIN, minutes(units * files * SECONDS_PER_MERGE)),
        "mem_mb": max(EXAMPLES_LEAST_MB, hundreds(BASE_MB + units * MERGE_BYTES / MB)),
    }


def asked_for_alike(units: int, units_of_all: int, photographs: int) -> dict[str, int]:
    """Of the job that correlates a model's units with those of all models over so many photographs."""
    walks = 1 + math.ceil(units * photographs * BYTES_PER_CELL / ALIKE_BYTES)
    read_mb = walks * units_of_all * photographs * BYTES_PER_CELL / MB
    seconds = read_mb / READ_MB_PER_SECOND + 2 * units * units_of_all * photographs / FLOP_PER_SECOND
    return {"runtime": max(ALIKE_LEAST_MIN, minutes(seconds)), "mem_mb": ALIKE_MB}


def asked_for_trust(pictures: Sequence[dict], networks: Sequence[Pass], speed: Speed) -> dict[str, int]:
    """Of the job that shows a model's pictures of channels (rows of the plan) to all networks, a layer at a time."""
    mb_of: dict[str, float] = {}
    for row in pictures:
        mb_of[row["layer"]] = mb_of.get(row["layer"], 0.0) + row["mb"]
    shown = sum(row["units"] for row in pictures)
    seconds = sum(FORWARD * speed.seconds(one.gflop, one.mcells) for one in networks) * shown
    seconds += len(networks) * (speed.start + sum(mb_of.values()) / READ_MB_PER_SECOND)
    held = COPIES * max(mb_of.values(), default=0.0) + WEIGHTS_COPIES * max(one.weights_mb for one in networks)
    return {
        "runtime": max(TRUST_LEAST_MIN, minutes(seconds)),
        "mem_mb": max(TRUST_LEAST_MB, hundreds(BASE_MB + held)),
    }
