"""Whether a results folder is whole and belongs to its configuration, and what lies there that does not. No torch."""

import functools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from konvolut.asked import survey
from konvolut.asked.as_json import plain
from konvolut.asked.censuses import read_census
from konvolut.asked.costs import read_speed
from konvolut.asked.outputs import module_of, planned_files
from konvolut.asked.precision import read_precisions
from konvolut.asked.settings import Photograph, Settings
from konvolut.errors import UserError, first_line
from konvolut.pictures import images
from konvolut.provenance import code_digest, file_sha256
from konvolut.results import hdf5, inventory
from konvolut.results.hdf5 import read_everything
from konvolut.results.part import folder_of
from konvolut.results.store import read_passport

# What is fitted to a model or a layer, so that a passport may say another value than the configuration.
FITTED = {"learning_rate", "transforms", "window", "decorrelate", "coarse_px", "coarse_steps", "octaves", "precision"}
# Keys of a section that choose shards: what was chosen is held against the plan.
OF_SHARDS = {"layers", "channels", "images", "maps", "maps_layers", "recipe", "examples", "keep"}
LEFT_TO_CENSUS = "distance"  # a term whose layer is chosen by the census where it names none
# What readers of tables, JSON, HDF5 and pictures raise over files that are not whole.
DAMAGES = (UserError, *hdf5.DAMAGES)
TEXTS = (".tsv", ".csv")
NO_SURVEY = pd.DataFrame({"key": [], "problem": []})
# Files that belong to a sweep beside those of its plan.
OF_SWEEP = ("plan.tsv", "photographs.tsv", "calibration.tsv", "report.tsv", "priors.h5", "README.md", "logs")
OF_SWEEP += ("atlas-now", "progress.txt")
OF_MODEL = ("layers.csv", "model.json", "activations.h5", "precision.csv", "units.csv", "evidence.json")
OF_ATLAS = ("assets", "images", "classes")


def problems(settings: Settings, plan: pd.DataFrame, results: Path) -> Iterator[str]:
    """A sentence for each file that is missing, cannot be read whole, lacks a unit, or was made by something else."""
    yield from _of_sweep(results)
    photographs = survey.readable(settings.images, _read(survey.read_survey, results / "photographs.tsv", NO_SURVEY))
    for model in dict.fromkeys(plan["model"]):
        yield from _of_model(plan[plan["model"] == model], results / model)
    for row, path in zip(plan.to_dict("records"), planned_files(plan, results), strict=True):
        if not path.exists():
            yield f"{path} is missing"
        elif path.suffix == ".h5":
            layers = _layers_of(plan, row["technique"], row["model"])
            said = _of_file(settings, row, path, results)
            yield from (f"{path}: {problem}" for problem in said or _of_units(settings, row, path, photographs, layers))
        else:
            yield from _of_page(path, path.parent / row["layer"])


def _of_sweep(results: Path) -> Iterator[str]:
    for name, read in {"photographs.tsv": survey.read_survey, "calibration.tsv": read_speed}.items():
        yield from _unreadable(results / name, read)
    if (results / "priors.h5").exists():
        yield from _unreadable(results / "priors.h5", read_everything)


def _of_model(rows: pd.DataFrame, folder: Path) -> Iterator[str]:
    """What is wrong with the files of a model that no row of the plan stands for."""
    yield from _unreadable(folder / "layers.csv", read_census)
    yield from _unreadable(folder / "model.json", _read_identity)
    if (folder / "precision.csv").exists():
        yield from _unreadable(folder / "precision.csv", read_precisions)
    if "atlas" not in set(rows["technique"]):
        return
    layers = {row.layer for row in rows.itertuples() if row.technique == "atlas"}
    for name, layers_in in (("units.csv", _layers_of_table), ("examples.h5", _layers_of_examples)):
        yield from _unreadable(folder / name, layers_in)
        gone = sorted(layers - set(_read(layers_in, folder / name, layers)))
        if gone:
            yield f"{folder / name} lacks layer {gone[0]}; delete it and run the same command"


def _of_page(page: Path, folder: Path) -> Iterator[str]:
    """What is wrong with the page of a layer and the files beside it."""
    if not page.read_text(encoding="utf-8", errors="replace").rstrip().endswith("</html>"):
        yield f"{page} ends too early; delete it and run the same command"
    if not folder.is_dir():
        yield f"{folder} is missing"
        return
    for path in sorted(folder.rglob("*.webp")):
        yield from _unreadable(path, images.read)


def _of_units(settings: Settings, row: dict, path: Path, photographs: Sequence[Photograph], layers: set) -> list[str]:
    lacking = inventory.missing(path, row, settings, photographs, layers)
    return [f"{lacking}; delete it and run the same command"] if lacking else []


def _of_file(settings: Settings, row: dict, path: Path, results: Path) -> list[str]:
    """What is wrong with a result as a whole: its bytes, and whom its passport belongs to."""
    try:
        passport = read_passport(path)
        read_everything(path)
    except DAMAGES as error:
        return [_damaged(error)]
    section = getattr(settings, row["technique"])
    expected = {"code": code_digest(module_of(row["technique"])), "seed": settings.seed}
    expected |= _read(_read_identity, results / row["model"] / "model.json", {})
    expected |= {name: value for name, value in plain(section).items() if name not in OF_SHARDS}
    found = [
        f"made with another {name}: {passport[name]}, not {value}"
        for name, value in expected.items()
        if passport.get(name, value) != value
    ]
    recipe = plain(section.recipe) if hasattr(section, "recipe") else {}
    for name, value in recipe.items():
        given = passport.get("recipe", {}).get(name, value)
        if name not in FITTED and _as_asked(name, given, value) != value:
            found.append(f"made with recipe.{name} = {given}, not {value}")
    return found + [f"made of another photograph {key}" for key in _changed(settings, passport)]


def _as_asked(name: str, given, asked):
    """An objective without the layers that were chosen for terms which the configuration leaves to the census."""
    if name != "objective" or len(given) != len(asked):
        return given
    pairs = zip(given, asked, strict=True)
    is_chosen = [wanted == LEFT_TO_CENSUS and term.startswith(f"{wanted}@") for (term, _), (wanted, _) in pairs]
    return [
        [LEFT_TO_CENSUS if chosen else term, weight] for chosen, (term, weight) in zip(is_chosen, given, strict=True)
    ]


def _changed(settings: Settings, passport: dict) -> list[str]:
    """Keys of the photographs whose files are no longer those that a result was made of."""
    path_of = {photograph.key: photograph.path for photograph in settings.images}
    told = passport.get("photographs", {})
    known = {key: sha256 for key, sha256 in told.items() if key in path_of} if isinstance(told, dict) else {}
    return [key for key, sha256 in known.items() if _sha256(path_of[key]) != sha256]


@functools.cache
def _sha256(path: str) -> str:
    return file_sha256(Path(path)) if Path(path).exists() else ""


def _layers_of(plan: pd.DataFrame, technique: str, model: str) -> set[str]:
    """The layers that a file of a whole model should have."""
    of_layers = {"kernels": "kernels", "trust": "channels"}.get(technique, "atlas")
    return set(plan.loc[(plan["technique"] == of_layers) & (plan["model"] == model), "layer"])


def _unreadable(path: Path, read: Callable) -> list[str]:
    """A sentence where there is no such file, it ends in mid-line, or `read(path)` fails."""
    if not path.exists():
        return [f"{path} is missing"]
    try:
        read(path)
        if path.suffix in TEXTS and not path.read_bytes().endswith(b"\n"):
            raise ValueError("ends in mid-line")
    except DAMAGES as error:
        return [f"{path}: {_damaged(error)}"]
    return []


def _damaged(error: Exception) -> str:
    said = error.said if isinstance(error, hdf5.DamagedError) else first_line(error)
    return f"damaged ({said}); delete it and run the same command"


def _read(read: Callable, path: Path, otherwise):
    """What `read(path)` returns; `otherwise` where it fails, which is told elsewhere."""
    try:
        return read(path)
    except DAMAGES:
        return otherwise


def _read_identity(path: Path) -> dict[str, str]:
    return {"weights_sha256": json.loads(path.read_text(encoding="utf-8"))["weights_sha256"]}


def _layers_of_table(path: Path) -> set[str]:
    return set(pd.read_csv(path, usecols=["layer"], dtype=str, keep_default_na=False)["layer"])


def _layers_of_examples(path: Path) -> list[str]:
    read_everything(path)
    return inventory.names_in(path, "examples")


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
