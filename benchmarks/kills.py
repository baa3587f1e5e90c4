"""A small sweep killed with all its jobs at random moments, by the same command each time: what is left, what it cost.

    .venv/bin/python benchmarks/kills.py [--kills 20] [--seed 0]

A kill counts that strikes a run at work; a sweep that came to its end is followed by a new one until there were as many
as asked for. Prints for each sweep whether its results are those of an undisturbed run, and how many units its jobs
have made in all. Asserts nothing.
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
        quiet = Path(name) / "quiet"
        write_sweep(quiet, SMALL)
        began = time.monotonic()
        made, total, _ = kills.run_with_kills(quiet, [])
        seconds = time.monotonic() - began
        expected = contents(quiet)
        print(f"undisturbed: {made} of {total} units made, {seconds:.0f} s")
        print(f"{'sweep':>5}{'kills':>7}{'units':>7}{'made':>6}   results")
        left, number = given.kills, 0
        while left > 0:
            number += 1
            killed = Path(name) / f"killed-{number}"
            write_sweep(killed, SMALL)
            made, total, struck = kills.run_with_kills(killed, (draw.random() * seconds for _ in range(left)))
            same = "the same" if contents(killed) == expected else "NOT THE SAME"
            print(f"{number:5}{struck:7}{total:7}{made:6}   {same}", flush=True)
            left -= struck


if __name__ == "__main__":
    main()
