"""What a sweep of a million pictures costs before it computes anything: its plan, a dry run, Snakemake's scheduler.

    .venv/bin/python benchmarks/planning.py [--photographs 50]

config/imagenet.yaml in a temporary folder, without weights, with as many small photographs as asked for. Times are CPU
seconds of the command and its children. Prints a table and asserts nothing.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow"))
KB_PER_MB = 1024
# Jobs that are all ready at once, for the scheduler: rules without work.
READY = (100, 10_000)
SCHEDULED = """
rule all:
    input: expand("made/{n}", n=range(COUNT))
rule one:
    output: "made/{n}"
    resources: gpu=1
    shell: "touch {output}"
"""


def measure(command: list[str], folder: Path) -> tuple[float, float, float, str]:
    """Wall and CPU seconds, peak memory in MB of the largest process, and what was printed."""
    began, before = time.monotonic(), os.times()
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = run.stdout.read()
    _, status, used = os.wait4(run.pid, 0)
    if status:
        sys.exit(said)
    after = os.times()
    cpu = used.ru_utime + used.ru_stime
    del before, after
    return time.monotonic() - began, cpu, used.ru_maxrss / KB_PER_MB, said


def snakemake(*words: str) -> list[str]:
    """A command over the imagenet sweep."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "config/profiles/local")]
    command += ["--configfile", "config/config.yaml", "config/imagenet.yaml"]
    return [*command, *words]


def write_photographs(folder: Path, count: int) -> None:
    """Small pictures where the sheet wants a folder."""
    from konvolut.pictures import images

    folder.mkdir(parents=True)
    for number in range(count):
        images.write_png(folder / f"{number:05}.png", np.full((48, 64, 3), number % 256, np.uint8))


def scheduler_ms(folder: Path) -> dict[int, float]:
    """CPU milliseconds of a dry run per job that is ready, the start of Snakemake taken off."""
    seconds = {}
    for count in (1, *READY):
        (folder / "ready").write_text(SCHEDULED.replace("COUNT", str(count)))
        command = [sys.executable, "-m", "snakemake", "--snakefile", "ready", "--dry-run", "--quiet", "all"]
        command += ["--scheduler", "greedy", "--scheduler-subsample", "100", "--resources", "gpu=4", "--cores", "8"]
        seconds[count] = measure(command, folder)[1]
    return {count: 1000 * (seconds[count] - seconds[1]) / count for count in READY}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photographs", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "config", folder / "config")
        write_photographs(folder / "imagenet/val", given.photographs)
        rows = {}
        rows["census of 10 models, calibration, report"] = measure(snakemake("--", "plan_report"), folder)
        print(rows["census of 10 models, calibration, report"][3].split("Select jobs")[-1])
        rows["plan"] = measure(snakemake("--", "results/plan.tsv"), folder)
        rows["snakemake -n"] = measure(snakemake("--dry-run", "--quiet", "all"), folder)
        print(f"{'':44}{'wall s':>8}{'CPU s':>8}{'MB':>8}")
        for what, (wall, cpu, peak, _) in rows.items():
            print(f"{what:44}{wall:>8.1f}{cpu:>8.1f}{peak:>8.0f}")
        for count, ms in scheduler_ms(folder).items():
            print(f"{f'scheduler, {count:,} jobs ready':44}{'':8}{ms:>8.1f} ms a job")
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{'all together':44}{'':8}{children.ru_utime + children.ru_stime:>8.1f}")


if __name__ == "__main__":
    main()
