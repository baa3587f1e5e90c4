"""From settings and the census of each model to shards: which job does what. Pure; no torch here.

A shard is one job: some channels of one layer, or some photographs for all layers. The plan is a table (TSV) with
one row per shard; sweep.py answers Snakemake's questions from it.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from konvolut.asked import shards, survey
from konvolut.asked.settings import Channels, ModelSource, Settings
from konvolut.errors import UserError, nearest
from konvolut.provenance import unit_seed

COLUMNS = ["technique", "model", "layer", "first", "last", "channels", "units", "passes", "gflop"]
# A step of an ascent costs a forward pass and about as much again for the gradient of the input alone.
FORWARD_AND_BACKWARD = 2
# Sections that name their photographs; no name, no jobs.
ON_CHOSEN_IMAGES = ("dreams", "layer_dreams", "accentuation", "caricature", "patches", "fooling", "inversion")
# Sections with a job for some photographs in each layer, and those with a job for some channels and all photographs.
OF_LAYERS, OF_CHANNELS = ("inversion", "layer_dreams", "caricature"), ("dreams", "accentuation")
# Techniques of which the plan tells how many pictures there will be.
COUNTED = ("channels", "classes", *OF_LAYERS, *OF_CHANNELS)


def make_plan(settings: Settings, censuses: Mapping[str, Path]) -> pd.DataFrame:
    """The shards of a sweep, a row each; `censuses` maps a model's key to its layers.csv.

    Raises UserError for layers and channels that a model does not have.
    """
    rows = []
    for model in settings.models:
        census = shards.read_census(censuses[model.key])
        rows += _photograph_rows(settings, model)
        rows += _class_rows(settings, model, census)
        for section in OF_LAYERS:
            rows += _layer_rows(settings, model, census, section)
        rows += [_row("kernels", model.key, layer) for layer in _kernel_layers(settings, model, census)]
        rows += _unit_rows(settings, model, census, "channels", pictures_per_unit=settings.channels.recipe.variants)
        for section in OF_CHANNELS:
            images = getattr(settings, section).images
            rows += _unit_rows(settings, model, census, section, pictures_per_unit=len(images))
        layers = dict.fromkeys(row["layer"] for row in rows if row["model"] == model.key and row["layer"])
        layers |= dict.fromkeys(resolve_layers(layers_of(settings, "activations"), census, "activations", model.id))
        order = {layer: index for index, layer in enumerate(census["layer"])}
        rows += [_row("atlas", model.key, layer) for layer in sorted(layers, key=order.get)]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_plan(
    settings_json: str, censuses: list[str], output: Path, photographs: Path, say: Callable[[str], None]
) -> None:
    """Look at the photographs, plan a sweep, write both tables and say how much it is."""
    settings = shards.from_json(Settings, settings_json)
    surveyed = survey.survey(settings.images, settings.images_on_error)
    for problem in surveyed["problem"]:
        if problem:
            say(f"left out: {problem}")
    survey.write_survey(surveyed, photographs)
    settings = only_readable(settings, surveyed)
    plan = make_plan(settings, dict(zip((model.key for model in settings.models), censuses, strict=True)))
    plan.to_csv(output, sep="\t", index=False, lineterminator="\n")
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


def resolve_layers(globs: tuple[str, ...], census: pd.DataFrame, section: str, model: str) -> list[str]:
    """Names of the layers that the globs mean, in the order of the network; "auto" and "all" have their own meaning."""
    possible = census[census["refused"] == ""]
    wanted = set()
    for glob in globs:
        if glob == "auto":
            found = possible[possible["auto"].astype(str).str.lower() == "true"]["layer"]
        elif glob == "all":
            found = possible[possible["same_as"] == ""]["layer"]
        else:
            found = [name for name in possible["layer"] if fnmatchcase(name, glob)]
        if not len(found):
            _refuse_glob(glob, census, section, model)
        wanted.update(found)
    return [name for name in possible["layer"] if name in wanted]


def _refuse_glob(glob: str, census: pd.DataFrame, section: str, model: str) -> None:
    refused = [row for row in census.itertuples() if row.refused and fnmatchcase(row.layer, glob)]
    if refused:
        raise UserError(f"{section}: layer {refused[0].layer!r} of model {model!r} has no units: {refused[0].refused}")
    raise UserError(
        f"{section}: layers: {glob!r} matches no layer of model {model!r}"
        f" (its {len(census)} layers are in layers.csv){nearest(glob, census['layer'])}"
    )


def resolve_channels(selector: Channels, count: int, seed: int, where: str) -> list[int]:
    """Channel numbers in 0..count-1, ascending; `random:N` draws without replacement by `seed`."""
    if selector.kind == "all":
        return list(range(count))
    if selector.kind == "first":
        return list(range(min(selector.count, count)))
    if selector.kind == "random":
        return sorted(random.Random(seed).sample(range(count), min(selector.count, count)))
    beyond = [number for number in selector.numbers if number >= count]
    if beyond:
        raise UserError(f"{where}: channel {beyond[0]} is out of range, possible are 0 to {count - 1}")
    return sorted(set(selector.numbers))


def _photograph_rows(settings: Settings, model: ModelSource) -> list[dict]:
    rows = []
    for name in ("activations", "saliency", "patches", "fooling"):
        section = getattr(settings, name)
        count = len(getattr(section, "images", settings.images))
        rows += [_row(name, model.key, "", **part) for part in _parts(count, section.images_per_shard)]
    if settings.alike.keep and len(settings.images) >= settings.alike.at_least:
        rows.append(_row("alike", model.key, ""))
        if settings.trust.examples and settings.channels.channels != Channels("numbers"):
            rows.append(_row("trust", model.key, ""))
    return rows


def _layer_rows(settings: Settings, model: ModelSource, census: pd.DataFrame, name: str) -> list[dict]:
    section = getattr(settings, name)
    if not section.images:
        return []
    flops = census.set_index("layer")["flops"]
    rows = []
    for layer in resolve_layers(layers_of(settings, name), census, name, model.id):
        for part in _parts(len(section.images), section.images_per_shard):
            passes = part["units"] * _steps(section)
            rows.append(_row(name, model.key, layer, **part) | _work(passes, float(flops[layer])))
    return rows


def _class_rows(settings: Settings, model: ModelSource, census: pd.DataFrame) -> list[dict]:
    section = settings.classes
    flops = float(census["flops"].max()) if len(census) else 0.0
    rows = []
    for part in _parts(len(section.targets), section.classes_per_shard):
        passes = part["units"] * len(section.regularisation) * _steps(section)
        rows.append(_row("classes", model.key, "", **part) | _work(passes, flops))
    return rows


def _steps(section) -> int:
    """Passes per picture at its own size; octaves grow by `octave_scale` on each side, which costs its square."""
    recipe = getattr(section, "recipe", None)
    if recipe is None:
        return section.steps
    return round(recipe.steps * sum(recipe.octave_scale ** (-2 * octave) for octave in range(recipe.octaves)))


def _work(passes: int, flops: float) -> dict:
    return {"passes": passes, "gflop": round(passes * FORWARD_AND_BACKWARD * flops / 1e9, 3)}


def _kernel_layers(settings: Settings, model: ModelSource, census: pd.DataFrame) -> list[str]:
    if not settings.kernels.layers:
        return []
    convolutions = census[census["kind"].str.contains("Conv2d")].assign(same_as="")  # a convolution's own name
    return resolve_layers(settings.kernels.layers, convolutions, "kernels", model.id)


def _parts(count: int, size: int) -> list[dict]:
    """First and last number of each `size` of `count` photographs."""
    parts = [range(first, min(first + size, count)) for first in range(0, count, size)]
    return [{"first": part[0], "last": part[-1], "units": len(part)} for part in parts]


def _unit_rows(
    settings: Settings, model: ModelSource, census: pd.DataFrame, section: str, *, pictures_per_unit: int
) -> list[dict]:
    options = getattr(settings, section)
    rows = []
    if not pictures_per_unit:
        return rows
    table = census.set_index("layer")
    for layer in resolve_layers(layers_of(settings, section), census, section, model.id):
        where = f"{section}: channels of {layer!r} of model {model.id!r}"
        seed = unit_seed(settings.seed, model.id, layer, "selection")
        channels = resolve_channels(options.channels, int(table.at[layer, "channels"]), seed, where)
        for start in range(0, len(channels), options.units_per_shard):
            part = channels[start : start + options.units_per_shard]
            units = len(part) * pictures_per_unit
            row = _row(section, model.key, layer, first=part[0], last=part[-1], units=units)
            work = _work(units * _steps(options), float(table.at[layer, "flops"]))
            rows.append(row | {"channels": format_channels(part)} | work)
    return rows


def _row(technique: str, model: str, layer: str, *, first: int = 0, last: int = 0, units: int = 0) -> dict:
    return {
        "technique": technique,
        "model": model,
        "layer": layer,
        "first": first,
        "last": last,
        "channels": "",
        "units": units,
        "passes": units,
        "gflop": 0.0,
    }


def format_channels(channels: list[int]) -> str:
    """Numbers as ranges: [0, 1, 2, 5] -> "0-2,5"."""
    parts: list[list[int]] = []
    for number in channels:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def parse_channels(text: str) -> tuple[int, ...]:
    """What format_channels wrote."""
    bounds = [part.split("-") for part in text.split(",") if part]
    return tuple(number for part in bounds for number in range(int(part[0]), int(part[-1]) + 1))


def read_plan(path: Path) -> pd.DataFrame:
    """The plan as make_plan made it and the rule `plan` wrote it."""
    text = dict.fromkeys(("technique", "model", "layer", "channels"), str)
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)
