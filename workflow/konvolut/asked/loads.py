"""What one unit of each technique costs, by the settings and a pass to its layer. Pure.

Bytes are those of the arrays; pictures are not compressed.
"""

from collections.abc import Mapping

from konvolut.asked.costs import (
    ASPECT,
    FORWARD,
    Pass,
    channel_passes,
    dream_passes,
    patch_passes,
    saliency_passes,
    view_of,
)
from konvolut.asked.cuts import BYTES_PER_CELL, MB, Load
from konvolut.asked.recipes import AUTO, FROM_NOISE, Recipe
from konvolut.asked.settings import Settings
from konvolut.asked.sides import side_of

COLOURS = 3
IN_COLOURS = {"gradient", "guided_backpropagation", "deconvnet"}  # methods whose maps have a plane per colour
FLOAT_BYTES, HALF_BYTES = 4, 2
PHOTOGRAPHS_PER_BATCH = 4  # as network.photographs has it on a CPU
# Of batches whose size is measured: what their cells may take on a CPU, and pictures beyond which none gains.
BATCH_MB, MOST_AT_ONCE = 2000, 32


def most_at_once(one: Pass, view: float) -> int:
    """Pictures in a batch on a CPU where the rule precision chooses: their cells fit into BATCH_MB."""
    held = int(BATCH_MB * MB / (view * one.mcells * MB * BYTES_PER_CELL))
    return min(max(held, 1), MOST_AT_ONCE)


def shown(recipe: Recipe, one: Pass, longest_side_px: int | None = None) -> float:
    """How many of the model's own inputs a picture is in a step: one from noise, or of a photograph's longest side."""
    if longest_side_px is None:
        return view_of(recipe, side_of(recipe, one.receptive_field_px, one.input_px), one)
    return view_of(recipe, longest_side_px, one, ASPECT)


def of_channel(settings: Settings, section: str, one: Pass) -> Load:
    """One channel of a layer: its variants, or its dreams of every photograph."""
    options = getattr(settings, section)
    recipe = options.recipe
    pictures = _kept(recipe)
    if section in FROM_NOISE:
        side = side_of(recipe, one.receptive_field_px, one.input_px)
        size = COLOURS * side**2 * pictures * recipe.variants
        view = shown(recipe, one)
        batch = max(_at_once(recipe, one, view), recipe.variants)
        return Load(one, channel_passes(recipe, one), size, batch, view=view)
    count, side = len(options.images), options.longest_side_px
    size = COLOURS * ASPECT * side**2 * pictures * count
    view = shown(recipe, one, side)
    return Load(one, count * dream_passes(recipe, side, one), size, _at_once(recipe, one, view), view=view)


def of_photograph(settings: Settings, technique: str, costs: Mapping[str, Pass]) -> Load:
    """One photograph, all layers: activations, saliency, patches, fooling."""
    whole, options = costs[""], getattr(settings, technique)
    seen = COLOURS * whole.input_px**2
    if technique == "activations":
        maps = HALF_BYTES * MB * whole.mcells * _share_with_maps(settings)  # ASSUME: of all layers; they are streamed
        return Load(whole, FORWARD, maps, PHOTOGRAPHS_PER_BATCH, is_held=False)
    if technique == "saliency":
        classes = len(options.targets) - 1 + options.top if "predicted" in options.targets else len(options.targets)
        planes = sum(COLOURS if method in IN_COLOURS else 1 for method in options.methods)
        size = seen + classes * planes * FLOAT_BYTES * whole.input_px**2
        return Load(whole, saliency_passes(options.methods, classes), size, PHOTOGRAPHS_PER_BATCH)
    if technique == "patches":
        return Load(whole, patch_passes(options.patch, options.stride), seen, PHOTOGRAPHS_PER_BATCH)
    return Load(whole, options.steps * len(options.targets), seen * (1 + len(options.targets)))


def _share_with_maps(settings: Settings) -> float:
    """The share of the photographs whose whole maps are kept."""
    asked = {*settings.activations.maps, *settings.atlas.feature_maps}
    return sum(photograph.id in asked for photograph in settings.images) / max(len(settings.images), 1)


def of_layer(settings: Settings, technique: str, one: Pass) -> Load:
    """One photograph in one layer: inversion, layer_dreams, caricature."""
    options = getattr(settings, technique)
    if technique == "inversion":
        return Load(one, options.steps, 2 * COLOURS * one.input_px**2)
    side = options.longest_side_px
    size = COLOURS * ASPECT * side**2 * _kept(options.recipe)
    return Load(one, dream_passes(options.recipe, side, one), size, view=shown(options.recipe, one, side))


def of_class(settings: Settings, costs: Mapping[str, Pass]) -> Load:
    """One class: a picture for each regularisation."""
    options, whole = settings.classes, costs[""]
    count, recipe = len(options.regularisation), options.recipe
    size = count * COLOURS * recipe.size_px**2 * _kept(recipe)
    view = shown(recipe, whole)
    return Load(whole, count * channel_passes(recipe, whole), size, _at_once(recipe, whole, view), view=view)


def _at_once(recipe: Recipe, one: Pass, view: float) -> int:
    """Pictures in a batch at most."""
    return most_at_once(one, view) if recipe.units_per_batch == AUTO else recipe.at_once


def _kept(recipe: Recipe) -> int:
    """Pictures that are kept of one ascent: the last one and those on the way."""
    return 1 + (recipe.steps // recipe.keep_every if recipe.keep_every else 0)
