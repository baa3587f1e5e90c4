"""What one unit of each technique costs, by the settings and a pass to its layer. Pure.

Bytes are those of the arrays; compression takes little off pictures that an ascent has made.
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
from konvolut.asked.cuts import MB, Load
from konvolut.asked.recipes import FROM_NOISE, Recipe
from konvolut.asked.settings import Settings
from konvolut.asked.sides import side_of

COLOURS = 3
IN_COLOURS = {"gradient", "guided_backpropagation", "deconvnet"}  # methods whose maps have a plane per colour
FLOAT_BYTES, HALF_BYTES = 4, 2
PHOTOGRAPHS_PER_BATCH = 4  # as network.photographs has it on a CPU


def of_channel(settings: Settings, section: str, one: Pass) -> Load:
    """One channel of a layer: its variants, or its dreams of every photograph."""
    options = getattr(settings, section)
    recipe = options.recipe
    pictures = _kept(recipe)
    if section in FROM_NOISE:
        side = side_of(recipe, one.receptive_field_px)
        size = COLOURS * side**2 * pictures * recipe.variants
        batch = max(recipe.units_per_batch, recipe.variants)
        return Load(one, channel_passes(recipe, one), size, batch, view=view_of(recipe, side, one))
    count, side = len(options.images), options.longest_side_px
    size = COLOURS * ASPECT * side**2 * pictures * count
    view = view_of(recipe, side, one, ASPECT)
    return Load(one, count * dream_passes(recipe, side, one), size, recipe.units_per_batch, view=view)


def of_photograph(settings: Settings, technique: str, costs: Mapping[str, Pass]) -> Load:
    """One photograph, all layers: activations, saliency, patches, fooling."""
    whole, options = costs[""], getattr(settings, technique)
    seen = COLOURS * whole.input_px**2
    if technique == "activations":
        maps = HALF_BYTES * MB * whole.mcells if options.maps else 0.0  # ASSUME: of all layers; they are streamed
        return Load(whole, FORWARD, maps, PHOTOGRAPHS_PER_BATCH, is_held=False)
    if technique == "saliency":
        classes = len(options.targets) - 1 + options.top if "predicted" in options.targets else len(options.targets)
        planes = sum(COLOURS if method in IN_COLOURS else 1 for method in options.methods)
        size = seen + classes * planes * FLOAT_BYTES * whole.input_px**2
        return Load(whole, saliency_passes(options.methods, classes), size, PHOTOGRAPHS_PER_BATCH)
    if technique == "patches":
        return Load(whole, patch_passes(options.patch, options.stride), seen, PHOTOGRAPHS_PER_BATCH)
    return Load(whole, options.steps * len(options.targets), seen * (1 + len(options.targets)))


def of_layer(settings: Settings, technique: str, one: Pass) -> Load:
    """One photograph in one layer: inversion, layer_dreams, caricature."""
    options = getattr(settings, technique)
    if technique == "inversion":
        return Load(one, options.steps, 2 * COLOURS * one.input_px**2)
    side = options.longest_side_px
    size = COLOURS * ASPECT * side**2 * _kept(options.recipe)
    view = view_of(options.recipe, side, one, ASPECT)
    return Load(one, dream_passes(options.recipe, side, one), size, view=view)


def of_class(settings: Settings, costs: Mapping[str, Pass]) -> Load:
    """One class: a picture for each regularisation."""
    options, whole = settings.classes, costs[""]
    count, recipe = len(options.regularisation), options.recipe
    size = count * COLOURS * recipe.size_px**2 * _kept(recipe)
    return Load(whole, count * channel_passes(recipe, whole), size, view=view_of(recipe, recipe.size_px, whole))


def _kept(recipe: Recipe) -> int:
    """Pictures that are kept of one ascent: the last one and those on the way."""
    return 1 + (recipe.steps // recipe.keep_every if recipe.keep_every else 0)
