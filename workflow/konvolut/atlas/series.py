"""The pictures of one layer: shards of results come in one after another, sheets and facts come out."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.settings import AtlasSettings
from konvolut.atlas import model, plates
from konvolut.atlas.inputs import LayerInputs
from konvolut.atlas.plates import SheetWriter
from konvolut.atlas.units import LayerUnits, Series
from konvolut.pictures import images
from konvolut.results import store

OPAQUE_QUANTILE = 0.99
TITLES = {
    "channels": "Features",
    "neuron": "Centre neuron",
    "negative": "Negative",
    "diversity": "Diversity",
    "maco": "MaCo",
}


class SeriesWriter:
    """Writes one series of optimised pictures, a shard at a time, and notes its facts."""

    def __init__(self, series: Series, folder: Path, shard_count: int, settings: AtlasSettings) -> None:
        self.series, self.folder, self.shard_count, self.settings = series, folder, shard_count, settings
        self.sheets: dict[str, SheetWriter] = {}
        self.squares: list[np.ndarray] = []

    def add(self, pictures: store.Pictures, passport: dict, natural: np.ndarray | None) -> None:
        """Take one shard."""
        if not self.sheets:
            self._open_sheets(pictures)
        self.series.add(pictures, passport, natural)
        for row, picture in enumerate(pictures.picture):
            tiles = {"plate": [picture], "large": [picture], "steps": pictures.intermediate[row]}
            if pictures.transparency is not None:
                tiles["clear"] = [cleared(picture, pictures.transparency[row])]
            for kind, writer in self.sheets.items():
                for tile in tiles[kind]:
                    writer.add(tile)
            self._animate(int(pictures.channel[row]), (*pictures.intermediate[row], picture))
        share = math.ceil(plates.STRIP_COLUMNS / self.shard_count)
        places = plates.spread(len(pictures.picture), share)
        self.squares += [plates.square(pictures.picture[place], self.settings.thumbnails_px) for place in places]

    def finish(self) -> Series:
        """Write what is left; the series with the geometry of its sheets."""
        for kind, writer in self.sheets.items():
            writer.finish()
            self.series.sheets[kind] = asdict(writer.sheet)
        plates.write_strip(self.folder / f"strip-{self.series.prefix}.webp", self.squares)
        return self.series

    def _animate(self, channel: int, frames: Sequence[np.ndarray]) -> None:
        """Write the ascent of a channel from noise as an animation, where these were asked for."""
        if self.series.technique in FROM_NOISE and self.settings.animations and len(frames) > 1:
            path = self.folder / f"ascent-{self.series.prefix}-{channel}.webp"
            shrunk = [images.shrink(frame, self.settings.large_px) for frame in frames]
            images.write_animation(path, shrunk, plates.QUALITY)
            self.series.animated = True

    def _open_sheets(self, first: store.Pictures) -> None:
        px, prefix = self.settings.thumbnails_px, self.series.prefix
        at_most = len(first.picture) * self.shard_count
        self.sheets["plate"] = SheetWriter(self.folder, prefix, plates.plate_sheet(at_most, px))
        sheet = plates.large_sheet(*first.picture.shape[1:3], self.settings.large_px)
        if self.settings.large:
            self.sheets["large"] = SheetWriter(self.folder, f"large-{prefix}", sheet)
        if first.transparency is not None:
            self.sheets["clear"] = SheetWriter(self.folder, f"clear-{prefix}", sheet)
        if first.intermediate.shape[1]:
            steps = plates.steps_sheet(first.intermediate.shape[1], sheet, px)
            self.sheets["steps"] = SheetWriter(self.folder, f"steps-{prefix}", steps)


def write_optimised(inputs: LayerInputs, folder: Path, natural: np.ndarray | None) -> list[Series]:
    """Sheets and facts of all channels and dreams of one layer, one series per technique and start."""
    starts = {photo.key: photo.label or photo.id for photo in inputs.photographs}
    finished = []
    for technique in (*FROM_NOISE, "dreams", "accentuation"):
        paths = getattr(inputs, technique)
        writers: dict[str, SeriesWriter] = {}
        for start, pictures, passport in model.read_pictures(paths, starts):
            if start not in writers:
                series = _new_series(technique, start, starts.get(start, start))
                writers[start] = SeriesWriter(series, folder, len(paths), inputs.settings)
            writers[start].add(pictures, passport, natural)
        finished += [writer.finish() for writer in writers.values()]
    return finished


def write_examples(inputs: LayerInputs, folder: Path, units: LayerUnits) -> Series:
    """Plates of the best photograph of every unit, cut to the receptive field of the cell that it excites."""
    series = Series("examples", "", "examples", "Photographs")
    px = inputs.settings.thumbnails_px
    writer = SheetWriter(folder, series.prefix, plates.plate_sheet(units.count, px))
    crops = _example_crops(inputs, units, writer.sheet.height)
    for channel, crop in enumerate(crops):
        writer.add(crop)
        series.channels.append(channel)
    writer.finish()
    strip = [plates.square(crops[place], px) for place in plates.spread(units.count)]
    plates.write_strip(folder / f"strip-{series.prefix}.webp", strip)
    series.sheets["plate"] = asdict(writer.sheet)
    return series


def _example_crops(inputs: LayerInputs, units: LayerUnits, side_px: int) -> list[np.ndarray]:
    """One square of side_px per unit; every photograph is decoded once, whatever the number of units."""
    blank = np.full((side_px, side_px, 3), plates.FREE, np.uint8)
    crops = [blank] * units.count
    paths = {photo.key: photo.path for photo in inputs.photographs}
    tops = [units.top(channel) for channel in range(units.count)]
    for shown in dict.fromkeys(photo for photo in tops if photo):
        photo = images.read(paths[shown.key])
        for channel in (number for number, top in enumerate(tops) if top == shown):
            crop = plates.crop_to_field(photo, units.natural.layer.box[channel][0])
            crops[channel] = plates.resized(crop, side_px, side_px)
    return crops


def _new_series(technique: str, start: str, name: str) -> Series:
    """Pictures from noise are called by their objective, and where a unit has several, also by a number."""
    prefix = technique if start == "noise" else f"{technique}-{start}"
    if technique in TITLES:
        name = " ".join([TITLES[technique], *start.split("-")[1:]])
    return Series(technique, start, prefix, name)


def cleared(picture: np.ndarray, transparency: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) that fades to the page's grey where it mattered little: transparency (H, W), see MaCo.

    What lies above its 99 % quantile is shown in full, as Fel et al. 2023 do.
    """
    most = float(np.quantile(transparency, OPAQUE_QUANTILE)) or 1.0
    share = np.clip(transparency / most, 0, 1)[..., None]
    return np.rint(picture * share + plates.FREE * (1 - share)).astype(np.uint8)
