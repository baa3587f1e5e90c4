"""Many small pictures in one WebP, so that a layer is a few files and not thousands.

plate   8 x 8 squares of one series, the grid of the layer's page shows it as one picture under 64 links
large   up to 4 x 4 pictures at their own aspect, for the unit panel
steps   the intermediate pictures of one unit after another, small
strip   one row of squares spread over the layer, for the model's page
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from konvolut.pictures import images

PLATE_COLUMNS = 8
LARGE_COLUMNS = 4
LARGE_ROWS = 4
STRIP_COLUMNS = 14  # fills the model page at 1,100 px
FEW_UNITS = 32  # so few that the page shows them larger, at 160 px and more: squares of their plate are larger too
SHEET_PIXELS = 1_200_000  # far above 1 Mpx phones struggle; 16 squares of 256 px fit, and 32 units in four steps of 96
QUALITY = 75  # WebP, 30 % smaller than JPEG at equal SSIM
FREE = 238  # grey of a place without a picture
# A crop of a photograph is at least this share of its shorter side: a field of 3 px tells a reader nothing.
SMALLEST_CROP = 0.25


@dataclass(frozen=True)
class Sheet:
    """The geometry of a series of sheets: tiles of `height` x `width` px, `columns` x `rows` of them in each file."""

    columns: int
    rows: int
    height: int
    width: int

    def place(self, slot: int) -> tuple[int, int, int]:
        """(file, row, column) of the tile number `slot`."""
        file, inside = divmod(slot, self.columns * self.rows)
        return (file, *divmod(inside, self.columns))


def plate_sheet(count: int, px: int) -> Sheet:
    """Plates for `count` units with squares of `px`, larger where there are few units."""
    most = max(px, math.isqrt(SHEET_PIXELS // FEW_UNITS))
    side = min(px * 7 // 4, most) if count <= FEW_UNITS else px
    return Sheet(PLATE_COLUMNS, PLATE_COLUMNS, side, side)


def large_sheet(height: int, width: int, longest_px: int) -> Sheet:
    """Sheets for pictures of height x width px, shrunk to `longest_px` but never enlarged."""
    scale = min(1.0, longest_px / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    rows = SHEET_PIXELS // (LARGE_COLUMNS * height * width)
    return Sheet(LARGE_COLUMNS, min(LARGE_ROWS, max(1, rows)), height, width)


def steps_sheet(steps: int, large: Sheet, longest_px: int) -> Sheet:
    """Sheets with the `steps` intermediates of one unit after another, whole units in a row, up to a megapixel."""
    small = large_sheet(large.height, large.width, longest_px)
    units = max(1, PLATE_COLUMNS // max(1, steps))  # in a row
    rows = SHEET_PIXELS // (units * steps * small.height * small.width)
    return Sheet(units * steps, max(1, rows), small.height, small.width)


class SheetWriter:
    """Writes tiles one after another into {folder}/{prefix}-{number}.webp; memory holds one sheet."""

    def __init__(self, folder: Path, prefix: str, sheet: Sheet) -> None:
        self.folder, self.prefix, self.sheet = Path(folder), prefix, sheet
        self.count = 0
        self._canvas = self._empty()

    def add(self, picture: np.ndarray) -> None:
        """Take the next (H, W, 3) uint8 picture: cut to the tile's aspect, scaled to its size."""
        sheet = self.sheet
        file, row, column = sheet.place(self.count)
        tile = resized(cut_to_aspect(picture, sheet.height, sheet.width), sheet.height, sheet.width)
        top, left = row * sheet.height, column * sheet.width
        self._canvas[top : top + sheet.height, left : left + sheet.width] = tile
        self.count += 1
        if sheet.place(self.count)[0] > file:
            self._write(file, sheet.rows)

    def finish(self) -> None:
        """Write the last sheet, only as many rows as it has."""
        if not self.count:
            return
        file, row, _ = self.sheet.place(self.count - 1)
        if self.sheet.place(self.count)[0] == file:
            self._write(file, row + 1)

    def _write(self, file: int, rows: int) -> None:
        used = self._canvas[: rows * self.sheet.height]
        images.write_webp(self.folder / f"{self.prefix}-{file}.webp", used, QUALITY)
        self._canvas = self._empty()

    def _empty(self) -> np.ndarray:
        sheet = self.sheet
        return np.full((sheet.rows * sheet.height, sheet.columns * sheet.width, 3), FREE, np.uint8)


def write_strip(path: Path, squares: list[np.ndarray]) -> None:
    """Write up to 14 of the (px, px, 3) squares, evenly chosen, as one row."""
    if squares:
        chosen = [squares[place] for place in spread(len(squares))]
        images.write_webp(path, np.concatenate(chosen, axis=1), QUALITY)


def spread(count: int, wanted: int = STRIP_COLUMNS) -> list[int]:
    """Up to `wanted` places spread evenly over 0..count-1."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, wanted))}) if count else []


def square(picture: np.ndarray, side_px: int) -> np.ndarray:
    """The centred square of a picture, scaled to side_px."""
    return resized(cut_to_aspect(picture, 1, 1), side_px, side_px)


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture scaled to height x width px, whatever its aspect."""
    if picture.shape[:2] == (height, width):
        return picture
    return images.scaled(picture, height, width)


def cut_to_aspect(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest centred part of a (H, W, 3) picture with the aspect height : width."""
    tall, wide = picture.shape[:2]
    used_tall = min(tall, max(1, round(wide * height / width)))
    used_wide = min(wide, max(1, round(tall * width / height)))
    top, left = (tall - used_tall) // 2, (wide - used_wide) // 2
    return picture[top : top + used_tall, left : left + used_wide]


def crop_to_field(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The square of a (H, W, 3) photograph around a box (left, top, right, bottom in 0..1), with some context."""
    tall, wide = photo.shape[:2]
    left, top, right, bottom = np.asarray(box, float) * (wide, tall, wide, tall)
    shorter = min(tall, wide)
    side = round(min(shorter, max(right - left, bottom - top, SMALLEST_CROP * shorter, 1)))
    first_row = int(np.clip(round((top + bottom - side) / 2), 0, tall - side))
    first_column = int(np.clip(round((left + right - side) / 2), 0, wide - side))
    return photo[first_row : first_row + side, first_column : first_column + side]
