"""Examples: the photographs that excite each unit most, and how excitable it is, from the pooled statistics alone.

Files are read one after the other, twice: memory grows with the number of units, not with that of photographs.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from konvolut import provenance
from konvolut.asked.shards import ExamplesShard, read_census
from konvolut.results import store

BINS = 24


@dataclasses.dataclass
class Best:
    """The k best photographs of every unit so far, best first; ties go to the earlier photograph."""

    keep: int
    image: np.ndarray
    value: np.ndarray
    cell: np.ndarray

    @classmethod
    def empty(cls, units: int, keep: int) -> "Best":
        """Of no photograph yet."""
        none = np.zeros((units, 0))
        return cls(keep, none.astype(np.int32), none.astype(np.float32), np.zeros((units, 0, 2), np.int32))

    def add(self, first: int, value: np.ndarray, cell: np.ndarray) -> None:
        """Take in the maxima (n, C) and cells (n, C, 2) of the photographs first, first + 1, ..."""
        units = value.shape[1]
        rows = np.broadcast_to(np.arange(first, first + len(value), dtype=np.int32), (units, len(value)))
        image = np.concatenate([self.image, rows], 1)
        value = np.concatenate([self.value, value.T], 1)
        cell = np.concatenate([self.cell, cell.swapaxes(0, 1)], 1)
        # Equals stand in the order of the photographs, so that a stable sort keeps the earlier one; NaN comes last.
        order = np.argsort(-value, axis=1, kind="stable")[:, : self.keep]
        self.image, self.value = (np.take_along_axis(part, order, 1) for part in (image, value))
        self.cell = np.take_along_axis(cell, order[:, :, None], 1)


@dataclasses.dataclass
class Moments:
    """Running statistics of each unit's maxima, merged by Chan et al. (1979), in float64."""

    count: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    positive: np.ndarray

    @classmethod
    def empty(cls, units: int) -> "Moments":
        """Of no photograph yet."""
        zero = np.zeros(units)
        return cls(0, zero, zero, np.full(units, np.inf), np.full(units, -np.inf), zero)

    def add(self, value: np.ndarray) -> None:
        """Take in the maxima (n, C)."""
        value = value.astype(np.float64)
        total = self.count + len(value)
        difference = value.mean(0) - self.mean
        self.squares = self.squares + value.var(0) * len(value) + difference**2 * self.count * len(value) / total
        self.mean = self.mean + difference * len(value) / total
        self.low, self.high = np.minimum(self.low, value.min(0)), np.maximum(self.high, value.max(0))
        self.positive = self.positive + (value > 0).sum(0)
        self.count = total

    def edges(self) -> np.ndarray:
        """Histogram edges (C, 25) from the lowest to the highest maximum; one unit wide around a constant."""
        low, high = (np.nan_to_num(side, posinf=0, neginf=0).astype(np.float32) for side in (self.low, self.high))
        flat = low == high
        low, high = low - flat / 2, high + flat / 2
        return np.linspace(low, high, BINS + 1, axis=1, dtype=np.float32)


def reduce(shard: ExamplesShard, census: Path, activations: Sequence[Path], output: Path) -> None:
    """Write the examples of a model from its activation files, which follow each other in the order of the images."""
    rows = read_census(Path(census)).set_index("layer")
    passport = store.read_passport(activations[0])
    input_hw = tuple(passport["data"]["input_size"][1:])
    image, crops, best, moments = [], [], {}, {}
    for part in map(store.read_activations, activations):
        for layer, pooled in part.layers.items():
            units = pooled.max.shape[1]
            best.setdefault(layer, Best.empty(units, shard.keep)).add(len(image), pooled.max, pooled.cell)
            moments.setdefault(layer, Moments.empty(units)).add(pooled.max)
        image += part.image
        crops.append(part.crop)
    crops = np.concatenate(crops)
    histograms = _histograms(activations, {layer: found.edges() for layer, found in moments.items()})
    layers = {}
    for layer, found in best.items():
        boxes = boxes_of_cells(rows.loc[layer], found.cell, crops[found.image], input_hw)
        layers[layer] = _layer(found, moments[layer], boxes, histograms[layer])
    facts = {name: passport[name] for name in ("model", "weights_sha256", "data")}
    passport = provenance.passport(technique="examples", code=provenance.code_digest("techniques.examples"), **facts)
    store.write_examples(Path(output), store.Examples(image=image, layers=layers), passport)


def boxes_of_cells(row: pd.Series, cells: np.ndarray, crops: np.ndarray, input_hw: tuple[int, int]) -> np.ndarray:
    """Receptive fields (..., 4) of cells (..., 2) as left, top, right, bottom of the photograph, clipped to it.

    `row` is the layer's row of the census, `crops` (..., 4) says which part of the photograph the model saw. Where the
    field is not known exactly, the box is all that the model saw.
    """
    height, width = input_hw
    if row["receptive_field_exact"]:
        top_left = row["receptive_field_start_px"] + cells * row["stride"]
        bottom_right = top_left + row["receptive_field_px"]
    else:
        top_left, bottom_right = np.zeros_like(cells), np.broadcast_to([height, width], cells.shape)
    top_left, bottom_right = (np.clip(corner / (height, width), 0, 1) for corner in (top_left, bottom_right))
    left, top, right, bottom = np.moveaxis(crops, -1, 0)
    horizontal = [left + side[..., 1] * (right - left) for side in (top_left, bottom_right)]
    vertical = [top + side[..., 0] * (bottom - top) for side in (top_left, bottom_right)]
    boxes = np.stack([horizontal[0], vertical[0], horizontal[1], vertical[1]], -1)
    return boxes.clip(0, 1).astype(np.float32)


def _histograms(activations: Sequence[Path], edges: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    counts = {layer: np.zeros((len(found), BINS), np.int32) for layer, found in edges.items()}
    for part in map(store.read_activations, activations):
        for layer, pooled in part.layers.items():
            counts[layer] += _counts(pooled.max.T, edges[layer])
    return {layer: (counts[layer], edges[layer]) for layer in edges}


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    pairs: Iterator = zip(values, edges, strict=True)
    return np.stack([np.histogram(value, bins=edge)[0] for value, edge in pairs]).astype(np.int32)


def _layer(best: Best, moments: Moments, boxes: np.ndarray, histogram: tuple) -> store.LayerExamples:
    return store.LayerExamples(
        image=best.image,
        value=best.value,
        cell=best.cell,
        box=boxes,
        mean=moments.mean.astype(np.float32),
        std=np.sqrt(moments.squares / moments.count).astype(np.float32),
        max=moments.high.astype(np.float32),
        active=(moments.positive / moments.count).astype(np.float32),
        histogram=histogram[0],
        edges=histogram[1],
    )
