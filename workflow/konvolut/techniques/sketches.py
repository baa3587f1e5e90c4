"""Quantile sketches of many units at once: at most 256 bins each, merged exactly whatever the order. No torch here.

A float32 maps to a whole number in the same order (its bits, those of negative numbers turned round). A unit's sketch
drops as few of the low bits as leave 256 different numbers, and counts them: each bin is a range of floats. As dropping
more bits never makes more bins, a part never drops more than the whole, so that merging parts gives the sketch of the
whole, bit for bit, in any order. Up to 256 different values a sketch is exact; beyond, a quantile is off by less than
the width of its bin, 2**dropped floats. Each bin remembers its earliest photograph, its maximum and where that lay.
"""

import numpy as np

from konvolut.results.evidence import Sketch

BINS = 256
SIGN = np.uint32(1 << 31)
FREE = np.uint32(2**32 - 1)  # a bin that is not used; as a float it would be a NaN
NOBODY = np.iinfo(np.int32).max


def sketch_of(value: np.ndarray, cell: np.ndarray, first: int = 0) -> Sketch:
    """The sketch of maxima (n, C) and their cells (n, C, 2) of the photographs from `first` on; NaN is left out."""
    code = np.where(np.isnan(value.T), FREE, to_code(value.T))
    image = np.broadcast_to(np.arange(first, first + len(value), dtype=np.int32), code.shape)
    counts = (code != FREE).astype(np.int32)
    return _compressed(Sketch(code, counts, image, value.T, cell.swapaxes(0, 1), np.zeros(len(code), np.uint8)))


def merge(one: Sketch, other: Sketch) -> Sketch:
    """The sketch of both parts together; `image` must count through both."""
    names = ("code", "count", "image", "value", "cell")
    both = [np.concatenate([getattr(one, name), getattr(other, name)], 1) for name in names]
    return _compressed(Sketch(*both, np.maximum(one.dropped, other.dropped)))


def quantile_bins(found: Sketch, shares: np.ndarray) -> np.ndarray:
    """Which bin (C, q) holds each share 0..1 of the photographs: the first with as many at or below it."""
    reached = found.count.cumsum(1)
    wanted = np.maximum(np.ceil(np.asarray(shares) * reached[:, -1:]), 1)
    return (reached[:, :, None] < wanted[:, None, :]).sum(1).clip(max=max(0, found.code.shape[1] - 1))


def quantiles(found: Sketch, shares: np.ndarray) -> np.ndarray:
    """Values (C, q) float32 below or at which the shares 0..1 of the photographs lie, as numpy's inverted_cdf."""
    return np.take_along_axis(middles(found), quantile_bins(found, shares), 1)


def middles(found: Sketch) -> np.ndarray:
    """The value (C, b) float32 that stands for each bin: itself where no bits were dropped; NaN for unused ones."""
    half = (np.uint64(1) << found.dropped.astype(np.uint64)) >> np.uint64(1)
    inner = np.minimum(found.code.astype(np.uint64) + half[:, None], int(FREE)).astype(np.uint32)
    return np.where(found.count > 0, from_code(inner), np.nan).astype(np.float32)


def to_code(value: np.ndarray) -> np.ndarray:
    """float32 as uint32 in the same order; -0 is 0."""
    bits = (np.asarray(value, np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def from_code(code: np.ndarray) -> np.ndarray:
    """What to_code took."""
    return np.where(code & SIGN, code ^ SIGN, ~code).astype(np.uint32).view(np.float32)


def _compressed(parts: Sketch) -> Sketch:
    """The same counts with as few bits dropped as leave BINS bins at most; equal codes join."""
    dropped = np.maximum(parts.dropped, _bits_to_drop(np.sort(parts.code, 1)))
    mask = (np.uint64(FREE) << dropped.astype(np.uint64)).astype(np.uint32)[:, None]
    code = np.where(parts.count > 0, parts.code & mask, FREE)
    order = np.argsort(code.astype(np.uint64) << np.uint64(32) | parts.image.astype(np.uint64), 1)
    code, count = np.take_along_axis(code, order, 1), np.take_along_axis(parts.count, order, 1)
    begins = count > 0
    begins[:, 1:] &= code[:, 1:] != code[:, :-1]
    units, places = np.nonzero(begins)
    columns = begins.cumsum(1)[units, places] - 1
    bins = int(columns.max(initial=0)) + 1
    earlier = np.repeat(count.sum(1, keepdims=True), bins + 1, 1)  # photographs below each bin
    earlier[units, columns] = (count.cumsum(1) - count)[units, places]
    first = units, order[units, places]
    return Sketch(
        code=_filled((len(code), bins), (units, columns), code[units, places], FREE),
        count=np.diff(earlier, axis=1).astype(np.int32),
        image=_filled((len(code), bins), (units, columns), parts.image[first], NOBODY),
        value=_filled((len(code), bins), (units, columns), parts.value[first], np.nan),
        cell=_filled((len(code), bins, 2), (units, columns), parts.cell[first], 0),
        dropped=dropped,
    )


def _filled(shape: tuple[int, ...], places: tuple, values: np.ndarray, free) -> np.ndarray:
    made = np.full(shape, free, values.dtype)
    made[places] = values
    return made


def _bits_to_drop(code: np.ndarray) -> np.ndarray:
    """How many low bits (C,) of ascending codes (C, n) must go so that at most BINS different ones are left."""
    apart = np.where(code[:, 1:] != FREE, code[:, 1:] ^ code[:, :-1], 0)
    if apart.shape[1] < BINS:
        return np.zeros(len(code), np.uint8)
    decisive = np.partition(apart, -BINS, axis=1)[:, -BINS]  # neighbours part where their highest different bit is kept
    return np.frexp(decisive.astype(np.float64))[1].astype(np.uint8)  # the exponent of a whole number: its bit length
