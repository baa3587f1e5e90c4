"""Pictures of a whole layer for photographs, at their own aspect: what all channels at once dream into them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from konvolut import provenance
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import LayerShard
from konvolut.asked.terms import compares
from konvolut.network.photographs import at_own_aspect
from konvolut.pictures import images
from konvolut.pictures.ascent import WHOLE_LAYER, UnitStart, ascend
from konvolut.results import contents
from konvolut.results.part import Part
from konvolut.techniques.channels import attempt_seeds, changed, fitting, open_layers, passport_of


def render(
    shard: LayerShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the dreams of a shard's photographs to `output` (store.py draws it)."""
    write(shard, census, output, progress, technique="layer_dreams", from_noise=False)


def write(
    shard: LayerShard, census: Path, output: Path, progress: Callable, *, technique: str, from_noise: bool
) -> None:
    """Write a layer's picture for each photograph, started from it or from noise."""
    network, layers = open_layers(shard, census)
    pictures, recipes = {}, {}
    for photo in shard.photographs:
        pictures[photo.key] = at_own_aspect(network, layers[0], images.read(photo.path), shard.longest_side_px)
        recipes[photo.key] = fitting(shard.recipe, network, layers[0], pictures[photo.key].shape[:2])
    fitted = {key: changed(shard.recipe, recipe) for key, recipe in recipes.items()}
    photographs = provenance.photographs_sha256(shard.photographs)
    facts = {"longest_side_px": shard.longest_side_px, "photographs": photographs, "fitted": fitted}
    part = Part(output, technique, passport_of(network, technique, shard, **facts), list(pictures), progress)
    ids = {photo.key: photo.id for photo in shard.photographs}
    for key in part.missing():
        seeds = attempt_seeds(shard.seed, shard.model.id, shard.layer, technique, ids[key])
        part.keep({key: picture_of(network, layers, pictures[key], recipes[key], seeds, from_noise=from_noise)})
    part.finish()


def picture_of(
    network, layers: list, picture: np.ndarray, recipe: Recipe, seeds: tuple[int, ...], *, from_noise: bool
) -> contents.LayerPicture:
    """The layer's picture for one photograph (H, W, 3) uint8."""
    known = picture if compares(recipe.objective) else None
    unit = UnitStart(WHOLE_LAYER, seeds, None if from_noise else picture, known=known)
    found = ascend(network, layers, [unit], recipe, picture.shape[:2])
    first = {name: getattr(found, name)[0] for name in ("picture", "intermediate", "curve", "attempt")}
    return contents.LayerPicture(input=picture, step=found.step, **first)
