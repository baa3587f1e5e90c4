"""What work costs before it is done: image passes, FLOPs and cells by the census, seconds by the calibration.

A pass takes one picture forward to a layer and the gradient back to the picture. Its seconds are a sum of two terms, as
networks differ tenfold in FLOPs per second: a lean one (depthwise convolutions) moves numbers, a fat one computes.

    seconds = gflop * Speed.per_gflop + mcells * Speed.per_mcell

`mcells` are millions of numbers that the modules without children put out on the way, once. Pure; no torch here.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from konvolut.asked.recipes import Recipe
from konvolut.asked.sides import side_of
from konvolut.errors import UserError

FORWARD_AND_BACKWARD = 2  # the gradient of the input alone costs about another forward pass
FORWARD = 1 / FORWARD_AND_BACKWARD  # of a pass
GFLOP, MCELLS, MB, BYTES_PER_WEIGHT = 1e9, 1e6, 1e6, 4
ROUNDING = 1e-9  # .6 / .1 is a little less than 6
ASPECT = 3 / 4  # ASSUME: photographs are 4:3; a plan does not open them
# Gradients or forward passes per photograph and class that a method takes beyond the first gradient, which all share.
METHOD_PASSES: Mapping[str, float] = {
    "smoothgrad": 50.0,
    "integrated_gradients": 50.0,
    "occlusion": 170 * FORWARD,
    "guided_backpropagation": 1.0,
    "deconvnet": 1.0,
    "grad_cam": 1.0,
}


@dataclasses.dataclass(frozen=True)
class Speed:
    """How fast one job is on a device ("cpu": one thread): seconds per GFLOP, million cells and MB that is written;
    `start` are those from the beginning of its process to its first pass."""

    device: str
    per_gflop: float
    per_mcell: float
    start: float
    per_mb: float = 0.0

    def seconds(self, gflop: float, mcells: float) -> float:
        """Of so much work, without the start and what is written at the end."""
        return gflop * self.per_gflop + mcells * self.per_mcell

    def around(self, mb: float) -> float:
        """Of one job that leaves so many MB: its start and its writing."""
        return self.start + mb * self.per_mb


# ASSUME: one thread of the machine that this was written on (AMD EPYC, Zen 5), for plans without a calibration.
UNMEASURED = Speed("cpu", per_gflop=0.004, per_mcell=0.002, start=6.0, per_mb=0.003)


@dataclasses.dataclass(frozen=True)
class Pass:
    """One pass to a layer at the model's own input size: GFLOP there and back, millions of cells, input side in px;
    `weights_mb` are those of the whole network in float32."""

    gflop: float
    mcells: float
    input_px: int
    receptive_field_px: int
    weights_mb: float = 0.0


def passes_of(census: pd.DataFrame) -> dict[str, Pass]:
    """What a pass to each layer costs; "" stands for the whole network."""
    names = census["layer"]
    parents = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    size = census["channels"] * census["height"].clip(lower=1) * census["width"].clip(lower=1)
    mcells = size.where(~names.isin(parents), 0).cumsum() / MCELLS
    input_px = int((census["height"] * census["stride"]).max())
    gflop = census["flops"] * FORWARD_AND_BACKWARD / GFLOP
    fields = census["receptive_field_px"]
    weights_mb = float(census["parameters"].where(~names.isin(parents), 0).sum()) * BYTES_PER_WEIGHT / MB
    rows = zip(names, gflop, mcells, fields, strict=True)
    found = {name: Pass(float(g), float(m), input_px, int(field), weights_mb) for name, g, m, field in rows}
    return found | {"": Pass(float(gflop.max()), float(mcells.max()), input_px, input_px, weights_mb)}


def view_of(recipe: Recipe, side: float, one: Pass, aspect: float = 1.0) -> float:
    """How many of the model's own inputs one picture, `side` px long, is to it in a step: its area, or its crops."""
    return float(recipe.crops) if recipe.crops else aspect * (side / one.input_px) ** 2


def channel_passes(recipe: Recipe, one: Pass) -> float:
    """Passes at the model's own size that the picture of one channel (with its variants) takes."""
    if recipe.crops:
        return recipe.variants * recipe.steps * recipe.crops
    side = side_of(recipe, one.receptive_field_px, one.input_px)
    return recipe.variants * _steps_of(recipe, side, one) * (side / one.input_px) ** 2


def dream_passes(recipe: Recipe, longest_side_px: int, one: Pass) -> float:
    """Passes at the model's own size that one dream takes."""
    return _steps_of(recipe, longest_side_px, one) * ASPECT * (longest_side_px / one.input_px) ** 2


def saliency_passes(methods: tuple[str, ...], classes: int) -> float:
    """Passes that the maps of one photograph take."""
    return FORWARD + classes * (FORWARD + sum(METHOD_PASSES.get(method, 0.0) for method in methods))


def patch_passes(patch: float, stride: float) -> float:
    """Passes that the squares of one photograph take; shares of the shorter side (px count as a tenth)."""
    patch, stride = (share if share <= 1 else 0.1 for share in (patch, stride))
    across, along = (1 - patch) / stride, (1 / ASPECT - patch) / stride
    return FORWARD * (int(across + ROUNDING) + 1) * (int(along + ROUNDING) + 1)


def read_speed(path: Path) -> Speed:
    """What the rule `calibrate` measured."""
    row = pd.read_csv(path, sep="\t").iloc[0]
    try:
        numbers = [float(row[name]) for name in ("per_gflop", "per_mcell", "start")]
        return Speed(str(row["device"]), *numbers, float(row.get("per_mb", 0.0)))  # not measured before 0.1.0
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is no calibration; delete it and run the same command") from error


def write_speed(speed: Speed, path: Path) -> None:
    """A table of one row."""
    pd.DataFrame([dataclasses.asdict(speed)]).to_csv(path, sep="\t", index=False, lineterminator="\n")


def _steps_of(recipe: Recipe, side: int, one: Pass) -> float:
    """Steps at the full size, those at smaller ones counted by their area."""
    steps = recipe.steps * sum(recipe.octave_scale ** (-2 * octave) for octave in range(recipe.octaves))
    if not recipe.coarse_px or recipe.coarse_px >= side or one.receptive_field_px < side:
        return steps
    return steps - min(recipe.coarse_steps, steps) * (1 - (recipe.coarse_px / side) ** 2)
