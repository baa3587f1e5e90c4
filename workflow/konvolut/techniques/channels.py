"""Channel pictures from a random start: what excites each channel of a layer, or one cell of it, or silences it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec, layer_spec
from konvolut.asked.outputs import module_of
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import ChannelsShard
from konvolut.asked.sides import side_of
from konvolut.asked.terms import layers_of
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.shapes import takes
from konvolut.network.streamline import streamlined
from konvolut.pictures.ascent import UnitStart, ascend, coarse_size
from konvolut.pictures.octaves import sizes
from konvolut.pictures.transforms import view_size
from konvolut.results import store
from konvolut.results.contents import Priors
from konvolut.results.part import Part

START = "noise"
ATTEMPTS = 4
# By how many cells the squares, of which `peaks` counts one cell, are wider where pictures are small. By looking at the
# 32 pictures of tf_efficientnet_lite0's stem: more than half have islands of a colour that their unit turns away from
# where every cell counts, 11 with squares of 2 cells, 8 with 3 (3 without decorrelated colours).
MORE_CELLS = 1
# Layers that see no more than this are stems: they compare pixels, see of_small.
STEM_PX = 8
# How many times faster whole pictures are climbed whose layer sees too little of them for coarse steps, which give the
# others their large shapes. Of 16 units of lite0's blocks.2, 24 further ones and 16 of lite1's: contrast 1.2 times that
# of the plain rate, excitement .99, 1.03 and 1.10 times; with the plain rate these layers were the greyest of all.
NEVER_COARSE = 1.4


def render(
    shard: ChannelsShard,
    census: Path,
    output: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    priors: Path | None = None,
) -> None:
    """Write the pictures of a shard's channels to `output` (store.py draws it); `priors` is for the recipe maco."""
    network, layers = open_layers(shard, census)
    layer, variants = layers[0], shard.recipe.variants
    if max(shard.channels) >= layer.channels:
        raise UserError(f"layer {layer.name!r} has channels 0 to {layer.channels - 1}, and no {max(shard.channels)}")
    measured = store.read_priors(Path(priors)) if priors else None
    units = [unit_start(shard, channel, variant, measured) for channel in shard.channels for variant in range(variants)]
    names = [(start_name(variant), channel) for channel in shard.channels for variant in range(variants)]
    side = side_px(network, layer, shard.recipe)
    shard = dataclasses.replace(shard, recipe=fitting(shard.recipe, network, layer, (side, side)))
    known = {"priors_sha256": provenance.file_sha256(priors)} if priors else {}
    passport = passport_of(network, shard.technique, shard, side_px=side, **known)
    part = Part(output, shard.technique, passport, names, progress)
    part.climb(
        dict(zip(names, units, strict=True)),
        lambda left, keep: ascend(network, layers, left, shard.recipe, (side, side), keep),
    )
    part.finish()


def unit_start(shard: ChannelsShard, channel: int, variant: int = 0, priors: Priors | None = None) -> UnitStart:
    """One picture of a channel to make, its seeds by the unit and the variant alone."""
    names = (shard.model.id, shard.layer, channel, shard.technique, *([f"variant {variant}"] if variant else []))
    return UnitStart(channel, attempt_seeds(shard.seed, *names), priors=priors)


def start_name(variant: int) -> str:
    """ "noise", and for further variants "noise-2", "noise-3", ..."""
    return f"{START}-{variant + 1}" if variant else START


def open_layers(shard, census: Path) -> tuple[models.Network, list[LayerSpec]]:
    """The network on its device, made ready for ascents, and its layers: the shard's and those the objective names."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    names = dict.fromkeys((shard.layer, *layers_of(shard.recipe.objective)))
    return streamlined(network, *names), [layer_spec(census, name) for name in names]


def attempt_seeds(seed: int, *unit: str | int) -> tuple[int, ...]:
    """One seed for each attempt of a unit (model id, layer, channel, technique, ...)."""
    return tuple(provenance.unit_seed(seed, *unit, repeat) for repeat in range(ATTEMPTS))


def side_px(network: models.Network, layer: LayerSpec, recipe: Recipe) -> int:
    """The side of a square picture: less for layers that see little, the model's own where it takes no other."""
    own_px = network.data.input_size[1]
    side = side_of(recipe, layer.receptive_field_px, own_px)
    return side if takes(network, layer, (side, side)) else own_px


def fitting(recipe: Recipe, network: models.Network, layer: LayerSpec, size: tuple[int, int]) -> Recipe:
    """The recipe for pictures (H, W) = size, without what shows a model an input of a size that it does not take.

    Pictures that are small because their layer sees little are climbed otherwise, see `of_small`, and faster those
    that would have coarse steps if their layer saw more, see NEVER_COARSE.
    """
    if not takes(network, layer, view_size(size, recipe.transforms)):
        unpadded = tuple(transform for transform in recipe.transforms if transform[0] != "pad")
        recipe = dataclasses.replace(recipe, transforms=unpadded)
    if recipe.fields and max(size) < recipe.size_px:
        recipe = of_small(recipe, layer, max(size))
    elif recipe.coarse_steps and layer.receptive_field_px < max(size):
        recipe = dataclasses.replace(recipe, learning_rate=recipe.learning_rate * NEVER_COARSE)
    for number, octave in enumerate(sizes(size, recipe)[1:], start=1):
        if not takes(network, layer, view_size(octave, recipe.transforms)):
            recipe = dataclasses.replace(recipe, octaves=number)
            break
    coarse = coarse_size(layer, recipe, size)
    if coarse is not None and not takes(network, layer, view_size(coarse, recipe.transforms)):
        recipe = dataclasses.replace(recipe, coarse_px=0, coarse_steps=0)
    return recipe


def of_small(recipe: Recipe, layer: LayerSpec, side: int) -> Recipe:
    """The recipe for pictures that are small because their layer sees little: faster, with peaks further apart (see
    MORE_CELLS), in float32, for stems in red, green and blue.

    A picture of half the side has a quarter of the waves, each twice as strong: where all meet in one place they reach
    half the contrast, for which twice the rate makes up. The power 1.25 in place of 1 leaves as many units of lite0's
    stem below their best photograph, and two thirds more of its colour values at an end of their range.
    In bfloat16 3 instead of 1 of 48 units of lite0's first three layers stayed below their best photograph, and less
    than a fifth of the time was gained.
    In decorrelated colours grey lies nearest: a stem's unit that wants blue gets islands of black, one that wants
    magenta turns blue, one that wants green yellow. Without, 3 instead of 5 of lite0's 32 stay below their best
    photograph (their weights are near 0, or 1.3 at most); pictures of layers from blocks.1 up look unnatural that way.
    """
    faster = recipe.learning_rate * recipe.size_px / side
    window = recipe.window + (MORE_CELLS if recipe.window > 1 else 0)
    mixed = recipe.decorrelate and layer.receptive_field_px > STEM_PX
    changes = {"learning_rate": faster, "window": window, "decorrelate": mixed, "precision": "float32"}
    return dataclasses.replace(recipe, **changes)


def changed(asked: Recipe, fitted: Recipe) -> dict:
    """The fields of a recipe that are others than those asked for."""
    before, after = dataclasses.asdict(asked), dataclasses.asdict(fitted)
    return {name: value for name, value in after.items() if value != before[name]}


def passport_of(network: models.Network, technique: str, shard, **facts) -> dict:
    """Where pictures come from: everything that could change them."""
    return provenance.passport(
        technique=technique,
        model=network.source,
        weights_sha256=network.weights_sha256,
        data=dataclasses.asdict(network.data),
        layer=shard.layer,
        seed=shard.seed,
        recipe=shard.recipe.told(),
        device=network.device.type,
        why=shard.why,
        code=provenance.code_digest(module_of(technique)),
        **facts,
    )
