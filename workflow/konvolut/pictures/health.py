"""The verdict on a finished picture, stated once for the retry ladder, the atlas and its tables. No torch here.

d  dead          the objective never rose
w  weak          the clean picture excites its unit less than the best photograph does
g  good          it excites the unit more
                 (pictures that are to silence it: weak if they excite it more than the least exciting photograph)
-  not compared  no photographs to compare with

A picture of a class is good where the model takes it for the class under most of the held-out transforms, too.
"""

import numpy as np

DEAD, WEAK, GOOD, NOT_COMPARED = "d", "w", "g", "-"
NAMES = {GOOD: "good", WEAK: "weak", DEAD: "dead", NOT_COMPARED: "not compared"}
# A rise below this share of the start's magnitude is none, nor is one that float32 cannot tell from 0 beside 1:
# weights that training left at 1e-8 give such (channel 11 of tf_efficientnet_lite0's conv_stem rises by 2e-7).
LEAST_SHARE, LEAST_RISE = 1e-4, 1e-6
MOST = 0.5


def rises(curve: np.ndarray) -> np.ndarray:
    """Whether objectives (..., steps + 1) got anywhere: the last tenth lies above the first value."""
    late = np.asarray(np.mean(curve[..., -max(1, curve.shape[-1] // 10) :], axis=-1), float)
    start = np.asarray(curve[..., 0], float)
    return late - start > np.maximum(LEAST_SHARE * np.abs(start), LEAST_RISE)


def verdict(curve: np.ndarray, clean_max: float, natural_max: float | None, natural_min: float | None = None) -> str:
    """One letter from an ascent's curve (steps + 1,), the clean picture's maximum and the best photograph's.

    For pictures that are to silence their unit give `natural_min`, the lowest of the photographs' maxima, too. A curve
    of one value or none is no ascent and cannot be dead.
    """
    return verdicts(curve[None], np.array([clean_max]), natural_max, natural_min)


def verdicts(
    curves: np.ndarray,
    clean_max: np.ndarray,
    natural_max: np.ndarray | float | None,
    natural_min: np.ndarray | float | None = None,
) -> str:
    """The same of n pictures, a letter each, from curves (n, steps + 1) and maxima (n,)."""
    ascended = curves.shape[1] > 1
    dead = ~rises(curves) if ascended else np.zeros(len(curves), bool)
    if natural_max is None:
        compared = np.full(len(curves), NOT_COMPARED)
    elif natural_min is not None:
        compared = np.where(clean_max > natural_min, WEAK, GOOD)
    else:
        compared = np.where(clean_max < natural_max, WEAK, GOOD)
    return "".join(np.where(dead, DEAD, compared))


def class_verdict(curve: np.ndarray, steps: int, first: float) -> str:
    """One letter from a class' curve, the steps it could have taken (fewer were enough), and the share of held-out
    transforms under which the class is the likeliest."""
    if len(curve) > steps and not rises(curve):
        return DEAD
    return GOOD if first > MOST else WEAK


def deviations(maximum: np.ndarray, natural_mean: np.ndarray, natural_std: np.ndarray) -> np.ndarray:
    """How far pictures' maxima lie above the mean of the photographs' maxima, in their standard deviations; shapes
    broadcast.

    Not a number for a unit that all photographs excite alike.
    """
    above = np.asarray(maximum, float) - natural_mean
    return np.divide(above, natural_std, out=np.full_like(above, np.nan), where=np.asarray(natural_std) > 0)
