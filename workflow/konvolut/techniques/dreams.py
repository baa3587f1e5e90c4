"""DeepDreams: photographs, at their own aspect, changed until they excite a channel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from konvolut import provenance
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import DreamsShard
from konvolut.asked.terms import compares
from konvolut.network.photographs import at_own_aspect
from konvolut.pictures import images
from konvolut.pictures.ascent import UnitStart, ascend
from konvolut.results.part import Part
from konvolut.techniques.channels import attempt_seeds, changed, fitting, open_layers, passport_of

# (network, layers, picture) -> the recipe for that picture, beside the shard's own.
Fit = Callable[[object, list, np.ndarray], Recipe]


def render(
    shard: DreamsShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the dreams of a shard's photographs for its channels to `output` (store.py draws it)."""

    def fit(network, layers, picture) -> Recipe:
        return shard.recipe

    write(shard, census, output, progress, technique="dreams", fit=fit)


def write(shard: DreamsShard, census: Path, output: Path, progress: Callable, *, technique: str, fit: Fit) -> None:
    """Write pictures of a shard's channels that start from its photographs, each by the recipe that fits it.

    The passport says what of the recipe was fitted to which photograph.
    """
    network, layers = open_layers(shard, census)
    pictures, recipes = {}, {}
    for photo in shard.photographs:
        pictures[photo.key] = at_own_aspect(network, layers[0], images.read(photo.path), shard.longest_side_px)
        recipe = fit(network, layers, pictures[photo.key])
        recipes[photo.key] = fitting(recipe, network, layers[0], pictures[photo.key].shape[:2])
    fitted = {key: changed(shard.recipe, recipe) for key, recipe in recipes.items()}
    photographs = provenance.photographs_sha256(shard.photographs)
    facts = {"longest_side_px": shard.longest_side_px, "photographs": photographs, "fitted": fitted}
    units = [(photo.key, channel) for photo in shard.photographs for channel in shard.channels]
    part = Part(output, technique, passport_of(network, technique, shard, **facts), units, progress)
    for photo in shard.photographs:
        starts = starts_of(shard, technique, photo, pictures[photo.key], recipes[photo.key])
        climb(part, starts, network, layers, recipes[photo.key])
    part.finish()


def climb(part: Part, starts: dict, network, layers: list, recipe: Recipe) -> None:
    """Make those of the pictures of one photograph that are missing in `part`."""
    size = next(iter(starts.values())).picture.shape[:2]
    part.climb(starts, lambda left, keep: ascend(network, layers, left, recipe, size, keep))


def starts_of(shard: DreamsShard, technique: str, photograph, picture: np.ndarray, recipe: Recipe) -> dict:
    """The pictures to make of one photograph, by start and channel; their seeds by these alone."""
    known = picture if compares(recipe.objective) else None
    names = (shard.model.id, shard.layer)
    return {
        (photograph.key, channel): UnitStart(
            channel, attempt_seeds(shard.seed, *names, channel, technique, photograph.id), picture, known=known
        )
        for channel in shard.channels
    }
