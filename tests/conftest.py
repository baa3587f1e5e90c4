"""Puts the package on the path, the checkout is the installation, and gives torch one thread, as jobs have."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

# With more threads oneDNN splits some sums differently for other batch sizes, and equal bits become nearly equal.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
# What `make test` was told is not meant for the makes that tests call.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS"):
    os.environ.pop(name, None)

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

pytest_plugins = ["browser"]  # the fixtures of pages

# Whole runs of Snakemake take longest: these first and in this order, so that no process is at work alone at the end.
LONGEST = ("test_workflow", "test_default_atlas", "test_slurm", "test_kill", "test_incremental")


def pytest_collection_modifyitems(items):
    """Put the modules that take minutes before the others."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.module.__name__, len(order)))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a finished tiny sweep, one for all processes of pytest-xdist; copy it before changing anything."""
    from tiny_sweep import CONFIG, snakemake, write_sweep

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with FileLock(shared / "sweep.lock"):
        if not (shared / "sweep").exists():
            write_sweep(shared / "making", CONFIG)
            run = snakemake(shared / "making")
            assert run.returncode == 0, run.stderr + run.stdout
            (shared / "making").rename(shared / "sweep")
    return shared / "sweep"


@pytest.fixture
def sweep(finished, tmp_path):
    """A copy of the finished sweep to be changed."""
    shutil.copytree(finished, tmp_path / "sweep", copy_function=shutil.copy2)
    return tmp_path / "sweep"
