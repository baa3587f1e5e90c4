"""Puts the package on the path, the checkout is the installation, and gives torch one thread, as jobs have."""

import os
import sys
from pathlib import Path

# With more threads oneDNN splits some sums differently for other batch sizes, and equal bits become nearly equal.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

pytest_plugins = ["browser"]  # the fixtures of pages

# Whole runs of Snakemake take longest: first, so that the other process does the rest meanwhile.
LONGEST = ("test_default_atlas", "test_workflow")


def pytest_collection_modifyitems(items):
    """Put the modules that take minutes before the others."""
    items.sort(key=lambda item: item.module.__name__ not in LONGEST)
