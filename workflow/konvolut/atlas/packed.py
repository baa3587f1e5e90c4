"""Numbers as short as the pages' scripts can read them: few digits in JSON, or letters of which each is 0 to 63."""

import numpy as np

# From ? to ~, as in encoded polylines: one after another, none of them markup; charts.js has the same.
LETTERS = np.arange(ord("?"), ord("~") + 1, dtype=np.uint8)
UNKNOWN = ord(" ")  # of what is not finite
HIGHEST = len(LETTERS) - 1
FINE = len(LETTERS) ** 2 - 1  # two letters
EXACT_POWERS = 22  # powers of ten up to this one are exact in binary, and so is what is divided by them

CURVE_POINTS = 24  # as many as a curve of 200 px can show; .6 KB of data a unit is the limit


def rounded(values, digits: int = 3) -> list:
    """Numbers of any shape to so many significant digits, as nested lists; what is not finite becomes None, what is
    whole an integer."""
    given = np.asarray(values, np.float64)
    known = np.isfinite(given)
    safe = np.where(known, given, 0.0)
    places = digits - 1 - np.floor(np.log10(np.abs(np.where(safe == 0, 1.0, safe)))).astype(int)
    power = 10.0 ** np.minimum(np.abs(places), EXACT_POWERS)
    short = np.where(places < 0, np.rint(safe / power) * power, np.rint(safe * power) / power)
    extreme = np.abs(places) > EXACT_POWERS
    if extreme.any():
        short[extreme] = [float(f"{value:.{digits}g}") for value in safe[extreme]]
    told = short.astype(object)
    whole = (short == np.rint(short)) & (np.abs(short) < 2.0**53)
    told[whole] = short[whole].astype(np.int64)
    told[~known] = None
    return told.tolist()


def levels(values: np.ndarray) -> list[str]:
    """Rows (n, m) each between its own lowest and highest value, a letter a value."""
    given = np.asarray(values, np.float64)
    known = np.isfinite(given)
    low = np.where(known, given, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(known, given, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    share = np.where(known, given - low, 0.0) / span
    letters = np.where(known, LETTERS[np.rint(share * HIGHEST).astype(int)], UNKNOWN).astype(np.uint8)
    return _texts(letters)


def curves(values: np.ndarray) -> list[list]:
    """First and last value of each curve (n, steps + 1), and levels of up to 24 of its values, its ends among them."""
    if not values.shape[1]:
        return [[None, None, ""]] * len(values)
    points = np.linspace(0, values.shape[1] - 1, min(CURVE_POINTS, values.shape[1])).round().astype(int)
    ends = rounded(values[:, [0, -1]])
    return [[*pair, letters] for pair, letters in zip(ends, levels(values[:, points]), strict=True)]


def counts(values: np.ndarray) -> list[str]:
    """Rows (n, m) of counts as shares of the largest of their row, a letter a count; only nothing is ?."""
    most = np.maximum(np.max(values, axis=1, keepdims=True, initial=0), 1)
    return _texts(LETTERS[np.ceil(np.asarray(values) * (HIGHEST / most)).astype(int).clip(0, HIGHEST)])


def boxes(values: np.ndarray) -> list[str]:
    """Rows (n, m, 4) of boxes in 0..1, two letters a side: 4,096 steps over a photograph."""
    fine = np.rint(np.nan_to_num(values).clip(0, 1) * FINE).astype(int)
    pairs = np.stack(np.divmod(fine, len(LETTERS)), axis=-1)
    return _texts(LETTERS[pairs].reshape(len(values), -1))


def _texts(letters: np.ndarray) -> list[str]:
    return [row.tobytes().decode("ascii") for row in letters]
