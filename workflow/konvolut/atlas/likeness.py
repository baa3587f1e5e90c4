"""An order of a layer's units in which those that answer to the same photographs lie side by side."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from konvolut.results import store

PHOTOGRAPHS = 512  # evenly chosen; more change the order of few units and cost time
MOST_UNITS = 8192  # their correlations take 268 MB
FEWEST_PHOTOGRAPHS = 3  # two photographs correlate every pair of units by +1 or -1


def ranks(activations: Iterable[Path], layer: str) -> list[int]:
    """The place of each unit in the order; empty where there are too few photographs or too many units."""
    paths = [path for path in activations if layer in store.layers_of(path)]
    photographs = sum(len(store.read_about(path).image) for path in paths)
    if photographs < FEWEST_PHOTOGRAPHS or store.units_of(paths[0], layer) > MOST_UNITS:
        return []
    chosen = np.unique(np.linspace(0, photographs - 1, min(photographs, PHOTOGRAPHS)).round().astype(int))
    order = chain(correlations(store.read_pooled_rows(paths, layer, chosen)))
    return [int(place) for place in np.argsort(order)]


def correlations(profiles: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each pair of columns of (photographs, units); 0 with a unit that is constant."""
    centred = np.nan_to_num(profiles.astype(np.float32))
    centred -= centred.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return unit.T @ unit


def chain(likeness: np.ndarray) -> np.ndarray:
    """Units in an order where each is followed by the one most like it of those that are left, unit 0 first."""
    order = np.zeros(len(likeness), int)
    left = likeness.copy()
    for place in range(1, len(order)):
        left[:, order[place - 1]] = -np.inf
        order[place] = int(np.argmax(left[order[place - 1]]))
    return order
