"""A tiny sweep in a folder of its own, every rule of it, run by a real Snakemake; what tests of whole runs share."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filter of the maps
import numpy as np
import yaml

from konvolut.asked.costs import Speed, write_speed

ROOT = Path(__file__).parents[1]
PHOTOGRAPHS = ("chelsea", "coffee", "rocket")
LAYERS = ["conv_stem", "blocks.1.0", "classifier"]
MINUTES_PER_RUN = 15  # ends what hangs, on a busy machine too

CONFIG = {
    "models": "models.tsv",
    "images": "images.tsv",
    "layers": LAYERS,
    "device": "cpu",
    "channels": {"channels": "first:3", "steps": 4, "keep_every": 2, "size_px": 64},
    **{
        name: {"channels": [1], "layers": ["blocks.1.0"], "steps": 2, "keep_every": 1, "size_px": 64, **more}
        for name, more in {
            "neuron": {},
            "negative": {},
            "diversity": {"variants": 2},
            "maco": {"crops": 2, "units_per_batch": 1},
        }.items()
    },
    "dreams": {"channels": [1], "images": ["coffee"], "longest_side_px": 64, "steps": 4, "keep_every": 2},
    "layer_dreams": {"images": ["coffee"], "layers": ["blocks.1.0"], "longest_side_px": 64, "octaves": 2, "steps": 2},
    "accentuation": {
        "channels": [1],
        "images": ["rocket"],
        "layers": ["blocks.1.0"],
        "longest_side_px": 64,
        "steps": 3,
    },
    "caricature": {"images": ["coffee"], "layers": ["blocks.1.0"], "longest_side_px": 64, "steps": 3},
    "classes": {"targets": [7, 4], "regularisation": ["none", "l2"], "classes_per_shard": 1, "steps": 3, "size_px": 64},
    "patches": {"images": ["rocket"], "patch": 0.5, "stride": 0.5, "longest_side_px": 64},
    "kernels": {"layers": ["conv_stem"]},
    "fooling": {"images": ["coffee", "rocket"], "targets": [7], "steps": 3, "images_per_shard": 1},
    "inversion": {"images": ["coffee"], "layers": ["blocks.1.0"], "steps": 3},
    "atlas": {"feature_maps": ["coffee"]},
}


# Without the techniques that are off by default.
LITTLE = (
    CONFIG
    | {
        name: {}
        for name in (
            "neuron",
            "negative",
            "diversity",
            "maco",
            "layer_dreams",
            "accentuation",
            "caricature",
            "classes",
            "patches",
            "fooling",
            "inversion",
            "kernels",
        )
    }
    | {"atlas": {}}
)


# As the rule `calibrate` measured it once: what the tiny sweep is cut by is no matter to most tests of it.
SPEED = Speed("cpu", per_gflop=0.01, per_mcell=0.0015, start=3.0, per_mb=0.008)


def write_sweep(folder: Path, config: dict, models: str = "", images: str = "", speed: Speed | None = None) -> None:
    """The files of a sweep; with `speed` its device has been measured already."""
    folder.mkdir(parents=True, exist_ok=True)
    if speed:
        (folder / "results").mkdir(exist_ok=True)
        write_speed(speed, folder / "results/calibration.tsv")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "models.tsv").write_text(models or "id\ttimm_name\tweights\ntiny\ttest_efficientnet\trandom:1\n")
    rows = [f"{name}\tpackage:skimage/data/{name}.{'jpg' if name == 'rocket' else 'png'}" for name in PHOTOGRAPHS]
    (folder / "images.tsv").write_text(images or "id\tpath\n" + "\n".join(rows) + "\n")


def command(folder: Path, profile: str = "local", checkout: Path = ROOT) -> list[str]:
    words = [sys.executable, "-m", "snakemake", "--snakefile", checkout / "Snakefile", "--directory", folder]
    words += ["--workflow-profile", checkout / "config/profiles" / profile, "--configfile", folder / "config.yaml"]
    return [str(word) for word in words]


def snakemake(folder: Path, *arguments: str, checkout: Path = ROOT) -> subprocess.CompletedProcess:
    words = [*command(folder, checkout=checkout), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60 * MINUTES_PER_RUN, check=False)


def jobs_of(folder: Path, *arguments: str, checkout: Path = ROOT) -> dict[str, int]:
    """How many jobs of each rule Snakemake would run."""
    run = snakemake(folder, "--dry-run", "--quiet", "host", "reason", "--", *arguments, checkout=checkout)
    assert run.returncode == 0, run.stderr + run.stdout
    table = re.search(r"^job\s+count\n-+\s+-+\n(.*?)\ntotal", run.stdout + run.stderr, re.MULTILINE | re.DOTALL)
    return {name: int(count) for name, count in (line.split() for line in table[1].splitlines())} if table else {}


def change(folder: Path, **sections) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for name, value in sections.items():
        config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def copy_checkout(folder: Path) -> Path:
    """The checkout in another folder without what runs leave; every file is new."""

    def left_out(at: str, names: list[str]) -> set[str]:
        own = {".venv", ".git", ".snakemake", "results"} if Path(at) == ROOT else set()
        return (own | {"__pycache__"}) & set(names)

    return shutil.copytree(ROOT, folder, ignore=left_out, copy_function=shutil.copyfile)


MEASURED = ("calibration.tsv", "report.tsv", "precision.csv")  # of the machine, not of the sweep


def contents(folder: Path) -> dict[str, str]:
    """A digest of what each result holds: the datasets and attributes of an HDF5 file, the bytes of any other."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".h5":
            found[name] = _hdf5_digest(path)
        elif path.is_file() and "results/logs" not in name and path.name not in MEASURED:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _hdf5_digest(path: Path) -> str:
    digest = hashlib.sha256()

    def add(name, item):
        digest.update(name.encode() + repr(sorted(item.attrs.items())).encode())
        if isinstance(item, h5py.Dataset):
            digest.update(str(item.dtype).encode() + str(item.shape).encode())
            values = np.asarray(item[()])
            digest.update(repr(values.tolist()).encode() if values.dtype == object else np.ascontiguousarray(values))

    with h5py.File(path) as file:
        digest.update(repr(sorted(file.attrs.items())).encode())
        file.visititems(add)
    return digest.hexdigest()
