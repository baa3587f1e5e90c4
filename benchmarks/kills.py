"""A small sweep killed with all its jobs at random moments, by the same command each time: what is left, what it cost.

    .venv/bin/python benchmarks/kills.py [--kills 20] [--seed 0]

Prints whether the results are those of an undisturbed run, and how many units were made in all. Asserts nothing.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow")]

import kills  # noqa: E402
from test_kill import SMALL  # noqa: E402
from tiny_sweep import contents, write_sweep  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        quiet, killed = Path(name) / "quiet", Path(name) / "killed"
        write_sweep(quiet, SMALL)
        write_sweep(killed, SMALL)
        began = time.monotonic()
        made, total = kills.run_with_kills(quiet, [])
        seconds = time.monotonic() - began
        print(f"undisturbed: {made} of {total} units made, {seconds:.0f} s")
        moments = [draw.uniform(0.05, 0.9) * seconds for _ in range(given.kills)]
        began = time.monotonic()
        made, total = kills.run_with_kills(killed, moments)
        same = contents(killed) == contents(quiet)
        print(f"{given.kills} kills: {made} of {total} units made, {time.monotonic() - began:.0f} s")
        print(f"the results are {'the same' if same else 'NOT THE SAME'}")


if __name__ == "__main__":
    main()
