"""What a model sees of a photograph: scaled and cropped as timm evaluates, and where that lies. No torch here."""

import math

import numpy as np

from konvolut.asked.options import CROP_MODES, INTERPOLATIONS
from konvolut.errors import UserError, nearest
from konvolut.pictures import images

# round(255 * mean) of ImageNet's mean, with which timm pads unless told otherwise.
IMAGENET_GREY = (124, 116, 104)
Box = tuple[float, float, float, float]


def fit(
    photo: np.ndarray,
    size_hw: tuple[int, int],
    crop_pct: float = 0.875,
    interpolation: str = "bicubic",
    crop_mode: str = "center",
    fill: tuple[int, int, int] = IMAGENET_GREY,
) -> tuple[np.ndarray, Box]:
    """What a model sees of a photograph, bit for bit as timm's evaluation transform makes it, and where that lies.

    Returns (h, w, 3) uint8 and the box (left, top, right, bottom) in fractions of the photograph; the box reaches
    beyond 0..1 where padding was added (grey of `fill` for crop_mode border, black otherwise).
    """
    for word, possible in ((interpolation, INTERPOLATIONS), (crop_mode, CROP_MODES)):
        if word not in possible:
            raise UserError(f"resizing: {word!r} is none of {', '.join(possible)}{nearest(word, possible)}")
    height, width = photo.shape[:2]
    resized_h, resized_w = _resized_hw((height, width), [math.floor(side / crop_pct) for side in size_hw], crop_mode)
    resized = images.scaled(photo, resized_h, resized_w, interpolation)
    left, top = _offset(resized_w, size_hw[1]), _offset(resized_h, size_hw[0])
    seen = _cropped(resized, left, top, size_hw, fill if crop_mode == "border" else (0, 0, 0))
    right, bottom = left + size_hw[1], top + size_hw[0]
    return seen, (left / resized_w, top / resized_h, right / resized_w, bottom / resized_h)


def _resized_hw(photo_hw: tuple[int, int], scale_hw: list[int], crop_mode: str) -> tuple[int, int]:
    """The size (h, w) to which timm scales a photograph before it crops; scale_hw = size / crop_pct, rounded down."""
    if crop_mode == "squash":
        return scale_hw[0], scale_hw[1]
    if crop_mode == "center" and scale_hw[0] == scale_hw[1]:
        # torchvision's Resize to one number truncates the longer side, timm's ResizeKeepRatio rounds both.
        short = min(photo_hw)
        return tuple(scale_hw[0] if side == short else int(scale_hw[0] * side / short) for side in photo_hw)
    ratios = [side / wanted for side, wanted in zip(photo_hw, scale_hw, strict=True)]
    ratio = max(ratios) if crop_mode == "border" else min(ratios)
    return round(photo_hw[0] / ratio), round(photo_hw[1] / ratio)


def _offset(resized: int, wanted: int) -> int:
    """Where the crop begins; negative where it is wider than the picture (the odd pixel of padding goes to the end)."""
    return round((resized - wanted) / 2) if resized >= wanted else -((wanted - resized) // 2)


def _cropped(
    picture: np.ndarray, left: int, top: int, size_hw: tuple[int, int], fill: tuple[int, int, int]
) -> np.ndarray:
    height, width = size_hw
    seen = np.empty((height, width, 3), np.uint8)
    seen[:] = fill
    inside = picture[max(top, 0) : top + height, max(left, 0) : left + width]
    row, column = max(-top, 0), max(-left, 0)
    seen[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return seen
