"""Examples: the photographs that excite each unit most and those in between, and how excitable it is.

Files are read one after the other and only their evidence: memory grows with the number of units and with nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from konvolut import provenance
from konvolut.asked.censuses import layer_spec, read_census
from konvolut.asked.shards import ExamplesShard
from konvolut.network import effective, models
from konvolut.results import store
from konvolut.results.evidence import Evidence
from konvolut.techniques import evidence, sketches

BINS = 24
SHARES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
# Of each quantile three photographs, as Distill's Feature Visualization shows units from low to high.
SHOWN_SHARES = (0.1, 0.5, 0.9)
NEIGHBOURS = (-1, 0, 1)
CLASSES_KEPT = 3


@dataclass
class Photographs:
    """What is known of the photographs that are shown, in the order of their numbers among all."""

    number: list[int] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    crop: list[np.ndarray] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Their places in the lists above."""
        return np.searchsorted(self.number, numbers).clip(max=len(self.number) - 1).astype(np.int32)

    def classes(self) -> tuple[str, list[str]]:
        """Where classes come from and the class of each photograph: labels where any repeats, else predictions."""
        given = [label for label in self.label if label]
        if len(set(given)) < len(given):
            return "labels", self.label
        return ("predictions" if any(self.predicted) else ""), self.predicted


def reduce(
    shard: ExamplesShard, census: Path, activations: Sequence[Path], output: Path, joined: Path | None = None
) -> None:
    """Write the examples of a model from its activation files, which follow each other in the order of the images.

    `joined` becomes a file through which all of these are read as one.
    """
    rows = read_census(Path(census)).set_index("layer")
    passport = store.read_passport(activations[0])
    input_hw = tuple(passport["data"]["input_size"][1:])
    if joined:
        store.write_joined(Path(joined), activations, passport)
    found, counts = merged(activations, shard.keep)
    numbers = [part.best.image for part in found.values()]
    numbers += [_of_bins(part.sketch.image, _between(part)) for part in found.values()]
    photographs = _look_up(activations, counts, numbers)
    source, classes = photographs.classes()
    names = sorted(set(classes) - {""})
    sides = _half_sides(shard, Path(census), rows.loc[list(found)], input_hw)
    layers = {
        layer: _layer(part, Scene(rows.loc[layer], input_hw, photographs, sides.get(layer)), names)
        for layer, part in found.items()
    }
    facts = {name: passport[name] for name in ("model", "weights_sha256", "data")}
    passport = provenance.passport(technique="examples", code=provenance.code_digest("techniques.examples"), **facts)
    content = store.Examples(photographs.key, layers, sum(counts), names, source)
    store.write_examples(Path(output), content, passport)


def _half_sides(shard: ExamplesShard, census: Path, rows: pd.DataFrame, input_hw: tuple[int, int]) -> dict[str, float]:
    """Effective fields of the layers `rows` that may look at the whole input; without such layers no model is built."""
    specs = [
        layer_spec(census, row.Index)
        for row in rows.itertuples()
        if not row.receptive_field_exact and effective.is_grid(row, input_hw)
    ]
    return effective.half_sides(models.build(shard.model), specs) if specs else {}


def merged(activations: Sequence[Path], keep: int) -> tuple[dict[str, Evidence], list[int]]:
    """The evidence of every layer over all files, and how many photographs each file has."""
    found: dict[str, Evidence] = {}
    counts: list[int] = []
    for path in activations:
        count, part = store.read_evidence(path)
        for layer, other in part.items():
            found[layer] = evidence.merge(found.get(layer), other, sum(counts), keep)
        counts.append(count)
    return found, counts


@dataclass(frozen=True)
class Scene:
    """What turns cells of one layer into boxes on photographs."""

    row: pd.Series
    input_hw: tuple[int, int]
    photographs: Photographs
    half_side_px: float | None = None

    def boxes(self, numbers: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Boxes (..., 4) of cells (..., 2) on the photographs `numbers` (...)."""
        crops = np.asarray(self.photographs.crop)[self.photographs.rows(numbers)]
        return boxes_of_cells(self.row, cells, crops, self.input_hw, self.half_side_px)


def boxes_of_cells(
    row: pd.Series,
    cells: np.ndarray,
    crops: np.ndarray,
    input_hw: tuple[int, int],
    half_side_px: float | None = None,
) -> np.ndarray:
    """Receptive fields (..., 4) of cells (..., 2) as left, top, right, bottom of the photograph, clipped to it.

    `row` is the layer's row of the census, `crops` (..., 4) says which part of the photograph the model saw. Where the
    field is not known exactly, the box reaches `half_side_px` around the cell (see network/effective.py), or is all
    that the model saw where that is None.
    """
    height, width = input_hw
    if row["receptive_field_exact"]:
        top_left = row["receptive_field_start_px"] + cells * row["stride"]
        bottom_right = top_left + row["receptive_field_px"]
    elif half_side_px is not None:
        middles = (cells + 0.5) * (height / row["height"], width / row["width"])
        top_left, bottom_right = middles - half_side_px, middles + half_side_px
    else:
        top_left, bottom_right = np.zeros_like(cells), np.broadcast_to([height, width], cells.shape)
    top_left, bottom_right = (np.clip(corner / (height, width), 0, 1) for corner in (top_left, bottom_right))
    left, top, right, bottom = np.moveaxis(crops, -1, 0)
    horizontal = [left + side[..., 1] * (right - left) for side in (top_left, bottom_right)]
    vertical = [top + side[..., 0] * (bottom - top) for side in (top_left, bottom_right)]
    boxes = np.stack([horizontal[0], vertical[0], horizontal[1], vertical[1]], -1)
    return boxes.clip(0, 1).astype(np.float32)


def histogram(part: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Counts (C, 24) int32 and edges (C, 25) from the lowest to the highest maximum; 1 wide around a constant."""
    sides = (part.moments.low, part.moments.high)
    low, high = (np.nan_to_num(side, posinf=0, neginf=0).astype(np.float32) for side in sides)
    flat = low == high
    low, high = low - flat / 2, high + flat / 2
    edges = np.linspace(low, high, BINS + 1, axis=1, dtype=np.float32)
    middles = np.nan_to_num(sketches.middles(part.sketch)).clip(low[:, None], high[:, None])
    below = np.stack([(part.sketch.count * (middles < edge[:, None])).sum(1) for edge in edges.T], 1)
    below[:, -1] = part.sketch.count.sum(1)  # the last bin holds its upper edge
    return np.diff(below, axis=1).astype(np.int32), edges


def _between(part: Evidence) -> np.ndarray:
    """Bins (C, q, 3) of the sketch around the shown quantiles."""
    bins = sketches.quantile_bins(part.sketch, np.array(SHOWN_SHARES))[:, :, None] + np.array(NEIGHBOURS)
    used = (part.sketch.count > 0).sum(1)
    return bins.clip(0, np.maximum(used - 1, 0)[:, None, None])


def _of_bins(column: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """A column (C, b, ...) of the sketch at bins (C, q, 3)."""
    return column[np.arange(len(column))[:, None, None], bins]


def _look_up(activations: Sequence[Path], counts: Sequence[int], numbers: Sequence[np.ndarray]) -> Photographs:
    """Keys, crops and classes of the photographs whose numbers are given."""
    used = np.unique(np.concatenate([np.ravel(part) for part in numbers]))
    found, first = Photographs(), 0
    for path, count in zip(activations, counts, strict=True):
        about = store.read_about(path)
        for number in used[(used >= first) & (used < first + count)]:
            row = int(number) - first
            found.number.append(int(number))
            found.key.append(about.image[row])
            found.crop.append(about.crop[row])
            found.label.append(about.label[row])
            found.predicted.append(next(iter(about.predicted_name[row]), ""))
        first += count
    return found


def _class_counts(part: Evidence, photographs: Photographs, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent classes (C, 3) of the best photographs, as numbers in `names`, and their shares of them.

    Photographs without a class are no class of their own, but count in the shares: a share is never too large.
    """
    number_of = {name: number for number, name in enumerate(names)}
    classes = np.array([number_of.get(name, -1) for name in photographs.classes()[1]], np.int32)
    own = classes[photographs.rows(part.best.image)]
    of_unit = np.arange(len(own))[:, None] * (len(names) + 1) + own
    _, first, counts = np.unique(of_unit, return_index=True, return_counts=True)
    count = np.zeros(own.shape, np.int64)  # of each class, where it stands first
    count.flat[first] = counts
    count[own < 0] = 0
    kept = np.argsort(-count, 1, kind="stable")[:, :CLASSES_KEPT]  # of equals the one with the better photograph
    most = np.take_along_axis(count, kept, 1)
    index = np.where(most > 0, np.take_along_axis(own, kept, 1), -1)
    missing = ((0, 0), (0, CLASSES_KEPT - kept.shape[1]))
    index, most = np.pad(index, missing, constant_values=-1), np.pad(most, missing)
    return index.astype(np.int32), (most / max(1, own.shape[1])).astype(np.float32)


def _layer(part: Evidence, scene: "Scene", names: list[str]) -> store.LayerExamples:
    best, moments, bins = part.best, part.moments, _between(part)
    image, cell = (_of_bins(getattr(part.sketch, name), bins) for name in ("image", "cell"))
    counts, edges = histogram(part)
    index, share = _class_counts(part, scene.photographs, names)
    return store.LayerExamples(
        image=scene.photographs.rows(best.image),
        value=best.value,
        cell=best.cell,
        box=scene.boxes(best.image, best.cell),
        mean=moments.mean.astype(np.float32),
        std=np.sqrt(moments.squares / moments.count).astype(np.float32),
        max=moments.high.astype(np.float32),
        active=(moments.positive / moments.count).astype(np.float32),
        histogram=counts,
        edges=edges,
        quantiles=sketches.quantiles(part.sketch, np.array(SHARES)),
        dead=moments.low == moments.high,
        selectivity=evidence.selectivity(moments),
        class_index=index,
        class_share=share,
        quantile_image=scene.photographs.rows(image),
        quantile_value=_of_bins(part.sketch.value, bins),
        quantile_cell=cell,
        quantile_box=scene.boxes(image, cell),
        effective_px=None if scene.half_side_px is None else np.float32(2 * scene.half_side_px),
    )
