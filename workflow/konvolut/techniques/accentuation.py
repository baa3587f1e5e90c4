"""Feature accentuation: a dream that stays near its photograph, as an earlier layer sees it.

Hamblin et al. 2024, arXiv 2402.10039: objective - weight * |f(picture) - f(photograph)|² / |f(photograph)|², f being
the features of an earlier layer, both under the same moves. So that one weight suits every layer, it counts in root
mean squares of what the channel's own layer makes of the photograph.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from konvolut.asked.censuses import LayerSpec, layer_spec, of_auto, read_census
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import AccentuationShard
from konvolut.asked.terms import parse
from konvolut.network.photographs import as_inputs
from konvolut.network.record import truncated
from konvolut.techniques import dreams


def render(
    shard: AccentuationShard,
    census: Path,
    output: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the accentuations of a shard's photographs for its channels to `output` (store.py draws it)."""
    near = layer_spec(Path(census), shard.near).name if shard.near else halfway(Path(census), shard.layer)
    recipe = dataclasses.replace(shard.recipe, objective=tuple(placed(shard.recipe.objective, near)))

    def fit(network, layers: list[LayerSpec], picture: np.ndarray) -> Recipe:
        size = root_mean_square(network, layers[0], picture)
        terms = [
            (term, weight * size if parse(term).name == "distance" else weight) for term, weight in recipe.objective
        ]
        return dataclasses.replace(recipe, objective=tuple(terms))

    shard = dataclasses.replace(shard, recipe=recipe)
    dreams.write(shard, census, output, progress, technique="accentuation", fit=fit)


def halfway(census: Path, layer: str) -> str:
    """The layer in the middle of those that `auto` means, up to a layer and with it."""
    rows = read_census(census)
    auto, index = of_auto(rows), int(rows.set_index("layer").at[layer, "index"])
    before = [*auto[auto["index"] < index]["layer"], layer]
    return before[len(before) // 2]


def placed(objective: tuple[tuple[str, float], ...], near: str):
    """The terms of an objective, its distances in the layer `near` where they name none."""
    for term, weight in objective:
        parsed = parse(term)
        yield (f"{term}@{near}" if parsed.name == "distance" and not parsed.layer else term), weight


@torch.no_grad()
def root_mean_square(network, layer: LayerSpec, picture: np.ndarray) -> float:
    """Of all that a layer makes of a picture (H, W, 3) uint8."""
    return float(truncated(network, layer)(as_inputs(network, picture[None])).square().mean().sqrt())
