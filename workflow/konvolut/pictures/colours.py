"""Maps of numbers as pictures (H, W, 3) uint8: colour maps and overlays. No torch here."""

import numpy as np

LARGEST_8_BIT = 255
# The share of the photograph in an overlay, as the lab notebook's cv2.addWeighted has it.
PHOTO_SHARE = 0.15
# 17 of the 256 colours of matplotlib's "inferno" (van der Walt and Smith 2015, CC0), evenly spaced from first to last.
INFERNO = """
    000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754
    d04545 e35933 f1711f f98c0a fcaa0f f9c932 f2e865 fcffa4
"""
# Below and above 0: the ends of ColorBrewer's "RdBu" (Brewer 2002, Apache-2.0), blue for what lowers.
LOWERS, NEUTRAL, RAISES = (5, 48, 97), (247, 247, 247), (103, 0, 31)


def colour_map(map01: np.ndarray) -> np.ndarray:
    """A map (H, W) of 0..1 in the colours of inferno, (H, W, 3) uint8; values beyond are clipped, NaN counts as 0."""
    stops = np.array([list(bytes.fromhex(colour)) for colour in INFERNO.split()], dtype=np.float64)
    position = _clipped(map01) * (len(stops) - 1)
    below = np.minimum(position.astype(int), len(stops) - 2)
    share = (position - below)[..., None]
    return np.rint(stops[below] * (1 - share) + stops[below + 1] * share).astype(np.uint8)


def scaled01(values: np.ndarray) -> np.ndarray:
    """A map (H, W) stretched to 0..1 by its minimum and maximum, as the lab notebook does it; a flat map becomes 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)


def overlay(photo: np.ndarray, map01: np.ndarray) -> np.ndarray:
    """A map (H, W) of 0..1, in greys, over its photograph (H, W, 3) uint8, in the shares of the lab notebook."""
    greys = np.rint(_clipped(map01) * LARGEST_8_BIT)[..., None]
    return np.rint(PHOTO_SHARE * photo.astype(np.float64) + (1 - PHOTO_SHARE) * greys).astype(np.uint8)


def diverging(map11: np.ndarray) -> np.ndarray:
    """A map (H, W) of -1..1 from blue over white (0) to red; values beyond are clipped."""
    size = np.clip(np.abs(map11), 0, 1)[..., None]
    ends = np.where(map11[..., None] < 0, np.array(LOWERS, float), np.array(RAISES, float))
    # The root spreads small values: white alone would hide them.
    size = np.sqrt(size)
    return np.rint(np.array(NEUTRAL, float) * (1 - size) + ends * size).astype(np.uint8)


def in_colours(planes11: np.ndarray) -> np.ndarray:
    """Planes (C, H, W) of -1..1, one of each colour, with grey for 0; one plane becomes grey, of many three count."""
    shown = planes11[[number % len(planes11) for number in range(3)]].transpose(1, 2, 0)
    return np.rint((np.clip(shown, -1, 1) + 1) / 2 * LARGEST_8_BIT).astype(np.uint8)


def _clipped(map01: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(np.asarray(map01, dtype=np.float64), nan=0.0), 0, 1)
