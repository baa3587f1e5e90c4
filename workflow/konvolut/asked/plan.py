"""From settings and the census of each model to shards: which job does what. Pure; no torch here.

A shard is one job: some channels of one layer, or some photographs for all layers. The plan is a table (TSV) with
one row per shard; sweep.py and told.py answer Snakemake's questions from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from konvolut.asked import as_json, loads, reductions, survey
from konvolut.asked.aims import check_aims
from konvolut.asked.censuses import read_census
from konvolut.asked.costs import UNMEASURED, Pass, Speed, passes_of, read_speed
from konvolut.asked.cuts import MB, Load, asked_of_scheduler, cut
from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.selection import for_model, format_channels, meant_by, resolve_channels, resolve_layers
from konvolut.asked.settings import Channels, ModelSource, Settings
from konvolut.errors import UserError
from konvolut.provenance import unit_seed

Tables = Mapping[str, pd.DataFrame]  # the census of each model, by its key
COLUMNS = ["technique", "model", "layer", "first", "last", "channels", "units", "passes", "gflop", "mcells", "mb"]
COLUMNS += ["runtime", "mem_mb", "gpu"]
NO_LOAD = Load(Pass(0.0, 0.0, 1, 1), 0.0, 0.0)
# Keys that say how many units are in one job, where that is not left to the cost.
FIXED = ("units_per_shard", "images_per_shard", "classes_per_shard")
# Sections that name their photographs; no name, no jobs.
ON_CHOSEN_IMAGES = ("dreams", "layer_dreams", "accentuation", "caricature", "patches", "fooling", "inversion")
OF_PHOTOGRAPHS = ("activations", "saliency", "patches", "fooling")  # a job for some photographs, all layers
# Sections with a job for some photographs in each layer, and those with a job for some channels and all photographs.
OF_LAYERS, OF_CHANNELS = ("inversion", "layer_dreams", "caricature"), ("dreams", "accentuation")
WITHOUT_GPU = ("alike", "kernels", "atlas")
# Techniques of which the plan tells how many pictures there will be.
COUNTED = (*FROM_NOISE, "classes", *OF_LAYERS, *OF_CHANNELS)


def make_plan(settings: Settings, censuses: Mapping[str, Path], speed: Speed = UNMEASURED) -> pd.DataFrame:
    """The shards of a sweep, a row each; `censuses` maps a model's key to its layers.csv.

    Raises UserError for layers, channels and cells that a model does not have.
    """
    tables = {model.key: read_census(censuses[model.key]) for model in settings.models}
    pictures: dict[str, list[dict]] = {}
    for model in settings.models:
        pictures[model.key] = _rows_of_model(settings, model, tables, speed)
        check_aims(settings, model.id, tables[model.key], pictures[model.key])
    asked = _asked_by_whole_models(settings, tables, pictures, speed)
    rows = []
    for model in settings.models:
        census = tables[model.key]
        rows += pictures[model.key]
        rows += [_row(name, model.key, "") | asked[name, model.key] for name in _of_whole_models(settings)]
        rows += [_row("kernels", model.key, layer) for layer in _kernel_layers(settings, model, tables)]
        layers = dict.fromkeys(row["layer"] for row in rows if row["model"] == model.key and row["layer"])
        layers |= dict.fromkeys(_recorded(settings, model, tables))
        if not layers:
            globs = ", ".join(layers_of(settings, "activations"))
            raise UserError(f"layers: {globs}: model {model.id!r} has none of these, only other models have them")
        rows.append(_examples_row(model.key, layers, census, rows))
        order = {layer: index for index, layer in enumerate(census["layer"])}
        rows += [_row("atlas", model.key, layer) for layer in sorted(layers, key=order.get)]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_plan(
    settings_json: str, censuses: list[str], calibration: Path, outputs: tuple[Path, Path], say: Callable[[str], None]
) -> None:
    """Look at the photographs, plan a sweep, write both tables (plan, photographs) and say how much it is."""
    settings = as_json.from_json(Settings, settings_json)
    surveyed = survey.survey(settings.images, settings.images_on_error)
    for problem in surveyed["problem"]:
        if problem:
            say(f"left out: {problem}")
    survey.write_survey(surveyed, outputs[1])
    settings = only_readable(settings, surveyed)
    tables = dict(zip((model.key for model in settings.models), censuses, strict=True))
    plan = make_plan(settings, tables, read_speed(Path(calibration)))
    plan.to_csv(outputs[0], sep="\t", index=False, lineterminator="\n")
    jobs = len(plan)
    pictures = int(plan[plan["technique"].isin(COUNTED)]["units"].sum())
    say(f"{jobs} jobs, {pictures} pictures, {plan['gflop'].sum() / 1000:.1f} TFLOP")


def only_readable(settings: Settings, surveyed: pd.DataFrame) -> Settings:
    """The settings without the photographs that cannot be read."""
    images = survey.readable(settings.images, surveyed)
    known = {photograph.id for photograph in images}
    changes = {}
    for name in ON_CHOSEN_IMAGES:
        section = getattr(settings, name)
        changes[name] = replace(section, images=tuple(image for image in section.images if image in known))
    return replace(settings, images=images, **changes)


def layers_of(settings: Settings, section: str) -> tuple[str, ...]:
    """The layer globs of a section, or those of the whole sweep."""
    return getattr(settings, section).layers or settings.layers


def _layers(settings: Settings, section: str, model: ModelSource, tables: Tables) -> list[str]:
    """The layers of a model that a section means; none where all its globs mean those of other models."""
    globs = for_model(layers_of(settings, section), model.key, tables)
    return resolve_layers(globs, tables[model.key], section, model.id)


def _rows_of_model(settings: Settings, model: ModelSource, tables: Tables, speed: Speed) -> list[dict]:
    """The rows of one model but for its kernels and pages."""
    census, rows = tables[model.key], []
    costs = passes_of(census)
    if (globs := settings.activations.maps_layers) is not None:  # before a job that makes its file anew
        resolve_layers(for_model(globs, model.key, tables), census, "activations.maps_layers", model.id)

    def add(technique: str, layer: str, units: Sequence[int], load: Load, pictures: int = 1) -> None:
        section = getattr(settings, technique)
        fixed = next((getattr(section, name) for name in FIXED if hasattr(section, name)), None)
        for part in cut(units, load, fixed, speed, settings.job_minutes):
            row = _row(technique, model.key, layer, part, load, speed) | {"units": len(part) * pictures}
            rows.append(row | {"channels": format_channels(part) if technique in (*FROM_NOISE, *OF_CHANNELS) else ""})

    for name in OF_PHOTOGRAPHS:
        count = len(getattr(getattr(settings, name), "images", settings.images))
        add(name, "", range(count), loads.of_photograph(settings, name, costs))
    add("classes", "", range(len(settings.classes.targets)), loads.of_class(settings, costs))
    for name in OF_LAYERS:
        count = len(getattr(settings, name).images)
        for layer in _layers(settings, name, model, tables) if count else ():
            add(name, layer, range(count), loads.of_layer(settings, name, costs[layer]))
    for name in (*FROM_NOISE, *OF_CHANNELS):
        section = getattr(settings, name)
        pictures = section.recipe.variants if name in FROM_NOISE else len(section.images)
        for layer in _layers(settings, name, model, tables) if pictures else ():
            channels = _channels(settings, name, model, layer, census)
            add(name, layer, channels, loads.of_channel(settings, name, costs[layer]), pictures)
    return rows


def _of_whole_models(settings: Settings) -> list[str]:
    """Techniques with one job for a whole model, after all photographs."""
    if not settings.alike.keep or len(settings.images) < settings.alike.at_least:
        return []
    is_trusted = settings.trust.examples and settings.channels.channels != Channels("numbers")
    return ["alike", "trust"] if is_trusted else ["alike"]


def _asked_by_whole_models(
    settings: Settings, tables: Tables, pictures: Mapping[str, list[dict]], speed: Speed
) -> dict[tuple[str, str], dict]:
    """What look-alikes and trust ask of a scheduler, by technique and model."""
    units = {model.key: _units(tables[model.key], _recorded(settings, model, tables)) for model in settings.models}
    networks = [passes_of(table)[""] for table in tables.values()]
    asked = {}
    for key, count in units.items():
        channels = [row for row in pictures[key] if row["technique"] == "channels"]
        asked["alike", key] = reductions.asked_for_alike(count, sum(units.values()), len(settings.images))
        asked["trust", key] = reductions.asked_for_trust(channels, networks, speed)
    return asked


def _recorded(settings: Settings, model: ModelSource, tables: Tables) -> list[str]:
    """The layers of which activations are kept, beside those that other sections name."""
    return _layers(settings, "activations", model, tables)


def _units(census: pd.DataFrame, layers: Iterable[str]) -> int:
    return int(census.set_index("layer")["channels"].loc[list(layers)].sum())


def _examples_row(model: str, layers: Iterable[str], census: pd.DataFrame, rows: Sequence[dict]) -> dict:
    """The job that merges what all files of activations say of the units of some layers."""
    files = sum(row["technique"] == "activations" and row["model"] == model for row in rows)
    return _row("examples", model, "") | reductions.asked_for_examples(_units(census, layers), files)


def _channels(settings: Settings, section: str, model: ModelSource, layer: str, census: pd.DataFrame) -> list[int]:
    where = f"{section}: channels of {layer!r} of model {model.id!r}"
    seed = unit_seed(settings.seed, model.id, layer, "selection")
    count = int(census.loc[census["layer"] == layer, "channels"].iloc[0])
    return resolve_channels(getattr(settings, section).channels, count, seed, where)


def _kernel_layers(settings: Settings, model: ModelSource, tables: Tables) -> list[str]:
    if not settings.kernels.layers:
        return []
    convolutions = {key: _convolutions(census) for key, census in tables.items()}
    globs = for_model(settings.kernels.layers, model.key, convolutions)
    for glob in globs:
        if not len(meant_by(glob, convolutions[model.key])) and len(other := meant_by(glob, tables[model.key])):
            raise UserError(f"kernels: layers: {other.iloc[0]!r} of model {model.id!r} is no convolution")
    return resolve_layers(globs, convolutions[model.key], "kernels", model.id)


def _convolutions(census: pd.DataFrame) -> pd.DataFrame:
    """Those of a census under their own names; `auto` means the first, whose kernels are pictures."""
    found = census[census["kind"].str.contains("Conv2d")].assign(same_as="")
    return found.assign(auto=found["layer"] == found["layer"].iloc[0] if len(found) else False)


def _row(
    technique: str, model: str, layer: str, part: Sequence[int] = (), load: Load = NO_LOAD, speed: Speed = UNMEASURED
) -> dict:
    passes = len(part) * load.passes
    return {
        "technique": technique,
        "model": model,
        "layer": layer,
        "first": part[0] if part else 0,
        "last": part[-1] if part else 0,
        "channels": "",
        "units": len(part),
        "passes": round(passes),
        "gflop": round(passes * load.one.gflop, 3),
        "mcells": round(passes * load.one.mcells, 3),
        "mb": round(len(part) * load.bytes / MB, 1),
        **asked_of_scheduler(load, len(part), speed),
        "gpu": int(speed.device == "cuda" and technique not in WITHOUT_GPU),
    }


def read_plan(path: Path) -> pd.DataFrame:
    """The plan as make_plan made it and the rule `plan` wrote it."""
    text = dict.fromkeys(("technique", "model", "layer", "channels"), str)
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)
