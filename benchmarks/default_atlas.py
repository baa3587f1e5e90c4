"""What the default atlas takes from nothing: wall time, CPU time and memory, all processes together.

    .venv/bin/python benchmarks/default_atlas.py [snakemake arguments]

Runs in a temporary folder with the checkout's config; memory is the sum of the processes' proportional shares (PSS),
sampled four times a second. Prints a table and asserts nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
SAMPLES_PER_SECOND = 4
BYTES_PER_GB = 1e9


def measure(command: list[str]) -> tuple[int, float, float, float]:
    """Exit status, wall seconds, CPU seconds and peak memory in GB of a command and all its children."""
    started, used = time.monotonic(), os.times()
    process = subprocess.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(psutil.Process(process.pid)))
        time.sleep(1 / SAMPLES_PER_SECOND)
    now = os.times()
    cpu = now.children_user - used.children_user + now.children_system - used.children_system
    return process.returncode, time.monotonic() - started, cpu, peak / BYTES_PER_GB


def _memory(root: psutil.Process) -> int:
    total = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "config", Path(folder) / "config")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", folder]
        command += ["--workflow-profile", str(ROOT / "config/profiles/local"), *sys.argv[1:]]
        status, wall_s, cpu_s, peak_gb = measure(command)
        atlas = [path for path in (Path(folder) / "results/atlas").rglob("*") if path.is_file()]
        stored = list((Path(folder) / "results").rglob("*.h5"))
        print(f"\n{'exit status':28}{status:>10}")
        print(f"{'wall time':28}{wall_s:>10.0f} s")
        print(f"{'CPU time':28}{cpu_s:>10.0f} s on {os.cpu_count()} cores")
        print(f"{'peak memory':28}{peak_gb:>10.2f} GB")
        print(f"{'atlas':28}{sum(p.stat().st_size for p in atlas) / 1e6:>10.1f} MB in {len(atlas)} files")
        print(f"{'HDF5':28}{sum(p.stat().st_size for p in stored) / 1e6:>10.1f} MB in {len(stored)} files")
    sys.exit(status)


if __name__ == "__main__":
    main()
