"""Whether a results folder is whole and belongs to its configuration, and what lies there that does not. No torch here."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from konvolut.asked.outputs import module_of, planned_files
from konvolut.asked.settings import Settings
from konvolut.asked.terms import parse
from konvolut.errors import UserError
from konvolut.provenance import code_digest
from konvolut.results.hdf5 import read_everything
from konvolut.results.part import folder_of
from konvolut.results.store import read_passport

# What is fitted to a model or a layer, so that a passport may say another value than the configuration.
FITTED = {"learning_rate", "transforms", "coarse_px", "coarse_steps", "precision"}
# Files that belong to a sweep beside those of its plan.
OF_SWEEP = ("plan.tsv", "photographs.tsv", "calibration.tsv", "report.tsv", "priors.h5", "README.md", "logs")
OF_SWEEP += ("atlas-now", "progress.txt")
OF_MODEL = ("layers.csv", "model.json", "precision.csv", "examples.h5", "units.csv", "evidence.json")
OF_ATLAS = ("assets", "images", "classes")


def problems(settings: Settings, plan: pd.DataFrame, results: Path) -> Iterator[str]:
    """A sentence for each file that is missing, cannot be read whole, or was made by something else."""
    for row, path in zip(plan.to_dict("records"), planned_files(plan, results), strict=True):
        if not path.exists():
            yield f"{path} is missing"
        elif path.suffix == ".h5":
            yield from (f"{path}: {problem}" for problem in _of_file(settings, row, path, results))


def _of_file(settings: Settings, row: dict, path: Path, results: Path) -> Iterator[str]:
    try:
        passport = read_passport(path)
        read_everything(path)
    except (UserError, OSError) as error:
        yield f"damaged ({error}); delete it and run the same command"
        return
    identity = json.loads((results / row["model"] / "model.json").read_text(encoding="utf-8"))
    section = getattr(settings, row["technique"])
    expected = {
        "weights_sha256": identity["weights_sha256"],
        "code": code_digest(module_of(row["technique"])),
        "seed": settings.seed,
    }
    recipe = getattr(section, "recipe", None)
    wanted = json.loads(json.dumps(dataclasses.asdict(recipe))) if recipe else {}
    for name, value in expected.items():
        if passport.get(name, value) != value:
            yield f"made with another {name}: {passport[name]}, not {value}"
    for name, value in wanted.items():
        given = passport.get("recipe", {}).get(name, value)
        if name == "objective":
            given = [_as_asked(one, asked) for one, asked in zip(given, value, strict=False)] + given[len(value) :]
        if name not in FITTED and given != value:
            yield f"made with recipe.{name} = {given}, not {value}"


def _as_asked(term: list, asked: list) -> list:
    """A term and its weight without the layer that accentuation has chosen, where a distance names none itself."""
    return asked if parse(asked[0]).name == "distance" and term == [f"{asked[0]}@{parse(term[0]).layer}", asked[1]] else term


def stale(plan: pd.DataFrame, results: Path) -> list[Path]:
    """Files and folders under `results` that belong to no row of the plan; of nested ones the outermost."""
    rows, models = plan.to_dict("records"), list(plan["model"].unique())
    files = planned_files(plan, results)
    # A job that is not at its end keeps its finished units beside its output.
    known = {*files, *map(folder_of, files), *(results / name for name in OF_SWEEP)}
    known |= {results / model / name for model in models for name in OF_MODEL}
    known |= {results / "atlas" / row["model"] / row["layer"] for row in rows if row["technique"] == "atlas"}
    homes = {parent for path in known for parent in path.parents}
    return sorted(_strangers(results, known, homes))


def _strangers(folder: Path, known: set[Path], homes: set[Path]) -> Iterator[Path]:
    for path in folder.iterdir():
        if path in homes:
            yield from _strangers(path, known, homes)
        elif path not in known and not _is_of_atlas(path):
            yield path


def _is_of_atlas(path: Path) -> bool:
    """Whether this is a part of the atlas that is none of a layer: front pages, lists, assets, pages of photographs."""
    if path.is_dir():
        return path.parent.name == "atlas" and path.name in OF_ATLAS
    is_page_of_layer = path.suffix == ".html" and path.stem != "index"
    return path.parent.name == "atlas" or (path.parent.parent.name == "atlas" and not is_page_of_layer)


def delete(paths: list[Path]) -> int:
    """Delete files and folders; returns the bytes that they took."""
    freed = sum(size_of(path) for path in paths)
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return freed


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(part.stat().st_size for part in (path.rglob("*") if path.is_dir() else [path]) if part.is_file())
