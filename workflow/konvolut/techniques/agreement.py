"""How alike a picture and its unit's best photographs are in the layers below; see trust.py."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from konvolut.results import store

OTHERS = 16  # photographs that stand for any; the mean of 9 x 16 correlations is known to some hundredths
# Where best photographs are hardly more alike to each other than to any, a share of that difference says nothing.
LEAST_DIFFERENCE = 0.05


def agreement(synthetic: np.ndarray, natural: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How alike profiles are: (4,) scaled, synthetic with natural, natural with each other, natural with others.

    Profiles are (C,), (k, C) and (m, C), in standard deviations of each unit. Scaled: see trust.py.
    """
    rows = [_unit_length(part) for part in (synthetic[None], natural, others)]
    own, any_ = float((rows[0] @ rows[1].T).mean()), float((rows[1] @ rows[2].T).mean())
    among = rows[1] @ rows[1].T
    pairs = len(natural) * (len(natural) - 1)
    same = float((among.sum() - np.trace(among)) / pairs) if pairs else np.nan
    scaled = (own - any_) / (same - any_) if same - any_ > LEAST_DIFFERENCE else np.nan
    return np.array([scaled, own, same, any_], np.float32)


def paths(
    examples: Path,
    activations: Sequence[Path],
    layer: str,
    channels: np.ndarray,
    reached: Mapping[str, np.ndarray],
    best_of: int,
) -> tuple[list[str], np.ndarray]:
    """Names of the layers below and (n, l, 4) numbers of `agreement`, by a unit's `best_of` best photographs.

    `reached` has of each layer below the maxima (n, C) of the channels' pictures; the files are the model's own.
    """
    known = store.read_examples(examples, [layer, *reached])
    keys = [key for path in activations for key in store.read_about(path).image]
    number = {key: place for place, key in enumerate(keys)}
    best = np.array([[number[known.image[row]] for row in known.layers[layer].image[c][:best_of]] for c in channels])
    spread = np.linspace(0, len(keys) - 1, min(len(keys), OTHERS + best_of)).round().astype(int)
    found = np.full((len(channels), len(reached), 4), np.nan, np.float32)
    for column, (below, synthetic) in enumerate(reached.items()):
        natural = known.layers[below]
        rows = np.unique(np.concatenate([best.ravel(), spread]))
        pooled = store.read_pooled_rows(activations, below, rows)
        for place, own_best in enumerate(best):
            others = np.setdiff1d(spread, own_best)[:OTHERS]
            parts = [synthetic[place], *(pooled[np.searchsorted(rows, numbers)] for numbers in (own_best, others))]
            found[place, column] = agreement(*(_profile(part, natural) for part in parts))
    return list(reached), found


def _profile(maxima: np.ndarray, natural: store.LayerExamples) -> np.ndarray:
    """Maxima (..., C) in standard deviations of each unit over the photographs, without units that never change."""
    varies = natural.std > 0
    return (maxima[..., varies] - natural.mean[varies]) / natural.std[varies]


def _unit_length(profiles: np.ndarray) -> np.ndarray:
    centred = profiles - profiles.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(length > 0, length, np.inf)
