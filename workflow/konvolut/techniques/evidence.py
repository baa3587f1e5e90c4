"""What photographs say about units, in parts that merge: the best, moments, the distribution. No torch here.

Parts of any cut of the photographs merge to the same best photographs and sketches, bit for bit; moments agree to
float64's rounding. The best are those of a stable sort: of equal maxima the earlier photograph comes first.
"""

import numpy as np

from konvolut.results.evidence import Best, Evidence, Moments
from konvolut.techniques import sketches


def of_photographs(value: np.ndarray, cell: np.ndarray, keep: int) -> Evidence:
    """From maxima (n, C) and their cells (n, C, 2) of the photographs 0, 1, ... of a part."""
    return Evidence(best_of(value, cell, keep), moments_of(value), sketches.sketch_of(value, cell))


def merge(one: Evidence | None, other: Evidence, first: int, keep: int) -> Evidence:
    """Both parts together; the photographs of `other` count from `first`."""
    other = _shifted(other, first)
    if one is None:
        return other
    best = _kept(*_joined(one.best, other.best), keep)
    return Evidence(best, merge_moments(one.moments, other.moments), sketches.merge(one.sketch, other.sketch))


def best_of(value: np.ndarray, cell: np.ndarray, keep: int) -> Best:
    """The `keep` best photographs of each unit, best first; NaN comes last."""
    image = np.broadcast_to(np.arange(len(value), dtype=np.int32), value.T.shape)
    return _kept(image, value.T, cell.swapaxes(0, 1), keep)


def moments_of(value: np.ndarray) -> Moments:
    """Count, mean and sums of maxima (n, C), in float64."""
    value = value.astype(np.float64)
    rectified = value.clip(min=0)
    return Moments(
        count=len(value),
        mean=value.mean(0),
        squares=value.var(0) * len(value),
        low=value.min(0),
        high=value.max(0),
        positive=(value > 0).sum(0).astype(np.float64),
        rectified=rectified.sum(0),
        rectified_squares=(rectified**2).sum(0),
    )


def merge_moments(one: Moments, other: Moments) -> Moments:
    """Both parts together, by Chan et al. (1979)."""
    count = int(one.count) + int(other.count)
    difference = other.mean - one.mean
    return Moments(
        count=count,
        mean=one.mean + difference * (other.count / count),
        squares=one.squares + other.squares + difference**2 * (one.count * (other.count / count)),
        low=np.minimum(one.low, other.low),
        high=np.maximum(one.high, other.high),
        positive=one.positive + other.positive,
        rectified=one.rectified + other.rectified,
        rectified_squares=one.rectified_squares + other.rectified_squares,
    )


def selectivity(moments: Moments) -> np.ndarray:
    """Lifetime sparseness (C,) of the rectified maxima r: (1 - (sum r / n)^2 / (sum r^2 / n)) / (1 - 1 / n).

    0 where all photographs excite the unit alike, 1 where one alone does [Vinje and Gallant, Science 2000, after Rolls
    and Tovee 1995]; NaN where none does, or for a single photograph.
    """
    count = int(moments.count)
    if count < 2:
        return np.full(len(moments.mean), np.nan, np.float32)
    squares = moments.rectified_squares
    evenness = np.divide(moments.rectified**2 / count, squares, out=np.full(len(squares), np.nan), where=squares > 0)
    return ((1 - evenness) / (1 - 1 / count)).astype(np.float32)


def _shifted(part: Evidence, first: int) -> Evidence:
    sketch = part.sketch
    image = np.where(sketch.count > 0, sketch.image + first, sketches.NOBODY).astype(np.int32)
    best = Best((part.best.image + first).astype(np.int32), part.best.value, part.best.cell)
    return Evidence(best, part.moments, type(sketch)(**(vars(sketch) | {"image": image})))


def _joined(one: Best, other: Best) -> list[np.ndarray]:
    return [np.concatenate([getattr(one, name), getattr(other, name)], 1) for name in ("image", "value", "cell")]


def _kept(image: np.ndarray, value: np.ndarray, cell: np.ndarray, keep: int) -> Best:
    code = np.where(np.isnan(value), 0, sketches.to_code(value))
    falling = (sketches.FREE - code).astype(np.uint64) << np.uint64(32) | image.astype(np.uint64)
    order = np.argsort(falling, 1)[:, :keep]
    image, value = (np.take_along_axis(part, order, 1) for part in (image, value))
    return Best(image, value, np.take_along_axis(cell, order[:, :, None], 1))
