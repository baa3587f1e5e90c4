"""Series of a layer that need no ascent: its feature maps of some photographs, and the kernels of a convolution."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from konvolut.atlas import plates
from konvolut.atlas.inputs import LayerInputs
from konvolut.atlas.plates import SheetWriter
from konvolut.atlas.units import Series
from konvolut.pictures import colours
from konvolut.results import contents, store

COLOURS = 3
GAP_PX = 1  # between the planes of a kernel


def write_feature_maps(inputs: LayerInputs, folder: Path) -> list[Series]:
    """One series per photograph of settings.feature_maps whose maps are stored: a grey tile per channel."""
    shown = (photo for photo in inputs.photographs if photo.id in inputs.settings.feature_maps)
    finished = []
    for photo, maps in zip(shown, feature_maps(inputs), strict=True):
        if maps.size and maps[0].size > 1:
            series = Series("maps", photo.key, f"maps-{photo.key}", photo.label or photo.id)
            finished.append(_write(series, map(grey_tile, maps), len(maps), inputs, folder))
    return finished


def feature_maps(inputs: LayerInputs) -> Iterator[np.ndarray]:
    """The maps (C, H, W) of each photograph of settings.feature_maps; without channels where none are stored."""
    for photo in inputs.photographs:
        if photo.id in inputs.settings.feature_maps:
            stored = (store.read_maps(path, inputs.layer, photo.key) for path in inputs.activations)
            yield next((maps for maps in stored if maps is not None), np.empty((0, 0, 0)))


def write_kernels(inputs: LayerInputs, folder: Path) -> list[Series]:
    """The series of a layer's kernels, where it is a convolution whose weights were stored."""
    if inputs.kernels is None:
        return []
    found = store.read_named(inputs.kernels, contents.Kernels).get(inputs.layer)
    if found is None:
        return []
    series = Series("kernels", "", "kernels", "Kernels", passports=[store.read_passport(inputs.kernels)])
    return [_write(series, map(kernel_tile, found.weight), len(found.weight), inputs, folder)]


def grey_tile(values: np.ndarray) -> np.ndarray:
    """A feature map (h, w) in greys, black for its minimum and white for its maximum; (h, w, 3) uint8."""
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    shown = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.repeat(np.rint(shown * 255).astype(np.uint8)[..., None], 3, axis=2)


def kernel_tile(weight: np.ndarray) -> np.ndarray:
    """A kernel (in, h, w) scaled around 0 by its largest weight: in colours for three inputs, else its planes.

    Planes lie in rows, as nearly a square as fits: white is 0, red above, blue below.
    """
    scaled = weight / max(float(np.abs(weight).max()), np.finfo(np.float32).tiny)
    if len(weight) == COLOURS:
        return colours.in_colours(scaled)
    gap = GAP_PX if weight[0].size > 1 else 0
    columns = int(np.ceil(np.sqrt(len(weight))))
    height, width = weight.shape[1] + gap, weight.shape[2] + gap
    sheet = np.full((-(-len(weight) // columns) * height, columns * width, 3), plates.FREE, np.uint8)
    for number, plane in enumerate(scaled):
        y, x = number // columns * height, number % columns * width
        sheet[y : y + height - gap, x : x + width - gap] = colours.diverging(plane)
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]


def enlarged(tile: np.ndarray, side_px: int) -> np.ndarray:
    """The tile on a square of side_px, its cells blocks with edges as sharp as the size allows."""
    times = max(1, -(-side_px // max(tile.shape[:2])))
    tile = np.kron(tile, np.ones((times, times, 1), np.uint8))
    longest = max(tile.shape[:2])
    canvas = np.full((longest, longest, 3), plates.FREE, np.uint8)
    top, left = ((longest - side) // 2 for side in tile.shape[:2])
    canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return plates.resized(canvas, side_px, side_px)


def _write(series: Series, tiles: Iterable[np.ndarray], count: int, inputs: LayerInputs, folder: Path) -> Series:
    sheets = {"plate": plates.plate_sheet(count, inputs.settings.thumbnails_px)}
    if inputs.settings.large:
        sheets["large"] = plates.large_sheet(
            inputs.settings.large_px, inputs.settings.large_px, inputs.settings.large_px
        )
    prefix = {"plate": series.prefix, "large": f"large-{series.prefix}"}
    writers = {kind: SheetWriter(folder, prefix[kind], sheet) for kind, sheet in sheets.items()}
    shown_in_strip, squares = set(plates.spread(count)), []
    for channel, tile in enumerate(tiles):
        for writer in writers.values():
            writer.add(enlarged(tile, writer.sheet.height))
        if channel in shown_in_strip:
            squares.append(enlarged(tile, inputs.settings.thumbnails_px))
        series.channels.append(channel)
    for kind, writer in writers.items():
        writer.finish()
        series.sheets[kind] = asdict(writer.sheet)
    plates.write_strip(folder / f"strip-{series.prefix}.webp", squares)
    return series
