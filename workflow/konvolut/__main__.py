"""Looks at a sweep from outside, while it runs or later:  python -m konvolut progress | verify | stale [--delete]

In the folder of the sweep, with workflow/ on PYTHONPATH; the Makefile has a target for each.
"""

import argparse
import os
import sys
from pathlib import Path

from konvolut import folder
from konvolut.asked import settings
from konvolut.asked.costs import UNMEASURED, read_speed
from konvolut.asked.outputs import PLAN, RESULTS
from konvolut.asked.plan import read_plan
from konvolut.errors import UserError
from konvolut.results import checks, progress

MB = 1e6


def main() -> int:
    """The exit status: 1 where something failed, is damaged, or was not understood."""
    parser = argparse.ArgumentParser(prog="python -m konvolut", description="Look at a sweep from outside.")
    parser.add_argument("what", choices=("progress", "verify", "stale"))
    parser.add_argument("--configfile", nargs="+", type=Path, default=[Path("config/config.yaml")])
    parser.add_argument("--delete", action="store_true", help="delete what is stale")
    given = parser.parse_args()
    try:
        if not PLAN.exists():
            raise UserError(f"there is no {PLAN} in {Path.cwd()}: the run has not got as far as its plan")
        return {"progress": show_progress, "verify": verify, "stale": show_stale}[given.what](given)
    except UserError as error:
        print(f"konvolut: {error}", file=sys.stderr)
        return 1


def show_progress(given: argparse.Namespace) -> int:
    """How far the sweep is."""
    calibration = RESULTS / "calibration.tsv"
    speed = read_speed(calibration) if calibration.exists() else UNMEASURED
    table = progress.states(read_plan(PLAN), RESULTS)
    print(progress.in_words(table, speed, folder.LOCK.stat().st_mtime if folder.LOCK.exists() else 0.0))
    return int((table["state"] == "failed").any())


def verify(given: argparse.Namespace) -> int:
    """Whether every file is readable and fits the configuration."""
    found, plan = 0, read_plan(PLAN)
    for problem in checks.problems(settings.load_files(given.configfile), plan, RESULTS):
        found += 1
        print(problem)
    print(f"konvolut: {len(plan)} results looked at, {found or 'no'} problem{'' if found == 1 else 's'}")
    return int(found > 0)


def show_stale(given: argparse.Namespace) -> int:
    """What no longer belongs to the sweep; deleted only while no run is at work, whose files would be among it."""
    lock = folder.take() if given.delete else None
    paths = checks.stale(read_plan(PLAN), RESULTS)
    for path in paths:
        print(f"{checks.size_of(path) / MB:10,.1f} MB  {path}")
    said = f"konvolut: {len(paths)} files and folders belong to nothing that the plan asks for"
    if given.delete:
        print(f"{said}: deleted, {checks.delete(paths) / MB:,.1f} MB")
        os.close(lock)
    else:
        print(f"{said}{'; --delete deletes them' if paths else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
