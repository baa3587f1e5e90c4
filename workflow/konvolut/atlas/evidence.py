"""What photographs say about a unit, as the panel and the tables show it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from konvolut.atlas import packed
from konvolut.atlas.inputs import LayerInputs
from konvolut.atlas.model import Shown
from konvolut.results import evidence, store

QUANTILES = ("q01", "q10", "q25", "median", "q75", "q90", "q99")


@dataclass(frozen=True)
class Beside:
    """Look-alikes of a layer's units by relation, how far its pictures can be trusted, and the place of each layer.

    Where there are too few photographs for that, `wanted` says how many it takes.
    """

    places: list[tuple[str, str, int]] = field(default_factory=list)
    alike: dict[str, evidence.Alike] = field(default_factory=dict)
    trust: evidence.Trust | None = None
    wanted: int = 0


@dataclass(frozen=True)
class Natural:
    """One layer's evidence: `shown` has the photographs that pages know, by key; `top` is how many a panel shows."""

    all: store.Examples
    layer: store.LayerExamples
    shown: dict[str, Shown]
    top: int
    beside: Beside = Beside()

    def photograph(self, row: int) -> Shown | None:
        """The photograph that examples call `row`."""
        return self.shown.get(self.all.image[row]) if 0 <= row < len(self.all.image) else None

    def are_known(self, rows: np.ndarray) -> np.ndarray:
        """Whether pages know the photographs that examples call `rows`."""
        known = np.array([*(key in self.shown for key in self.all.image), False])
        return known[np.where((rows >= 0) & (rows < len(known)), rows, -1)]


@dataclass
class Index:
    """What units of one details file have in common; their entries are numbers in it."""

    photographs: dict[Shown, int] = field(default_factory=dict)
    places: dict[tuple[str, str, int], int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)

    def place(self, place: tuple[str, str, int]) -> int:
        """The number of a layer: its model's key, its name, how many units it has."""
        return self.places.setdefault(place, len(self.places))

    def named(self, name: str) -> int:
        """The number of a class."""
        return self.classes.setdefault(name, len(self.classes))

    def numbers(self, natural: Natural, rows: np.ndarray) -> np.ndarray:
        """Numbers of the photographs that examples call `rows`, of the same shape; -1 for those that no page knows."""
        distinct, first, place = np.unique(rows, return_index=True, return_inverse=True)
        number = np.full(len(distinct), -1)
        for slot in np.argsort(first):
            photo = natural.photograph(int(distinct[slot]))
            if photo is not None:
                number[slot] = self.photographs.setdefault(photo, len(self.photographs))
        return number[place].reshape(rows.shape)


def read_beside(inputs: LayerInputs) -> Beside:
    """Look-alikes and trust of a layer, where they were computed."""
    if inputs.alike is None:
        return Beside(wanted=inputs.alike_from if len(inputs.photographs) < inputs.alike_from else 0)
    places, alike = store.read_alike(inputs.alike, inputs.layer)
    trust = store.read_named(inputs.trust, evidence.Trust).get(inputs.layer) if inputs.trust else None
    return Beside([(*place, units) for place, units in places.items()], alike, trust)


def of_units(natural: Natural, channels: Sequence[int], index: Index) -> dict[str, list]:
    """What panels are told of these units of the layer, a column for each kind of fact, as evidence.js reads them."""
    layer, units = natural.layer, np.asarray(channels, int)
    ranks = (layer.image[units], layer.value[units], layer.box[units])
    told = {
        "examples": _entries(natural, index, *ranks, natural.top),
        "histogram": packed.counts(layer.histogram[units]),
        "edges": packed.rounded(layer.edges[units][:, [0, -1]], 4),
    }
    told |= _alike(natural.beside, units, index) | _trust(natural.beside, units, index)
    if layer.quantiles is None:
        return told
    told["between"] = _between(natural, units, index)
    told["more"] = packed.rounded(np.column_stack([layer.quantiles[units][:, [3, 6]], layer.dead[units]]))
    told["classes"] = [[[index.named(name), share] for name, share in found] for found in _classes(natural, units)]
    return told


def table_columns() -> list[str]:
    """Names of the columns that `table_rows` fills."""
    return ["mean", "std", "max", "active", *QUANTILES, "dead", "selectivity", "class", "class_share"]


def table_rows(natural: Natural) -> list[list]:
    """The numbers of each unit of the layer as CSV cells; empty where not known."""
    layer = natural.layer
    numbers = packed.rounded(np.stack([layer.mean, layer.std, layer.max, layer.active], axis=1))
    if layer.quantiles is None:
        return [[*row, *[""] * (len(table_columns()) - len(row))] for row in numbers]
    best = (next(iter(found), ["", ""]) for found in _classes(natural, np.arange(len(layer.max))))
    more = np.column_stack([layer.quantiles, layer.dead, layer.selectivity])
    return [[*row, *others, *top] for row, others, top in zip(numbers, packed.rounded(more), best, strict=True)]


def _alike(beside: Beside, units: np.ndarray, index: Index) -> dict[str, list]:
    """Of each relation what chance alone would reach, and (place, unit, correlation) of those above it."""
    if not beside.alike:
        return {}
    rows: list[list] = [[] for _ in units]
    for relation, found in beside.alike.items():
        chance = packed.rounded(found.chance, 2)
        columns = (found.place[units], found.unit[units], packed.rounded(found.correlation[units], 2))
        above = found.correlation[units] > found.chance
        for row, places, others, shares, known in zip(rows, *columns, above, strict=True):
            best = [
                [index.place(beside.places[places[rank]]), int(others[rank]), shares[rank]]
                for rank in np.flatnonzero(known)
            ]
            row.append([relation, chance, best])
    return {"alike": rows}


def _trust(beside: Beside, units: np.ndarray, index: Index) -> dict[str, list]:
    """The way of each unit's picture through the layers below, and what it does to the unit's twins; None where there
    is no such picture."""
    trust = beside.trust
    if trust is None:
        return {}
    slots = {int(channel): slot for slot, channel in enumerate(trust.channel)}
    told = [_trust_in(trust, slots[unit], beside.places, index) if unit in slots else None for unit in units.tolist()]
    return {"trust": told} if any(told) else {}


def _trust_in(trust: evidence.Trust, slot: int, places: list[tuple[str, str, int]], index: Index) -> dict:
    twins = []
    for column, relation in enumerate(trust.relation):
        place = int(trust.twin_place[slot, column])
        if place >= 0:
            found = (trust.twin_reached, trust.twin_best, trust.twin_deviations)
            reached = packed.rounded([values[slot, column] for values in found], 2)
            twins.append([relation, index.place(places[place]), int(trust.twin_unit[slot, column]), *reached])
    path = [list(pair) for pair in zip(trust.below, packed.rounded(trust.path[slot], 2), strict=True)]
    return {"path": path, "twins": twins}


def _entries(
    natural: Natural, index: Index, rows: np.ndarray, values: np.ndarray, boxes: np.ndarray, top: int | None = None
) -> list[list]:
    """Of each row (n, m) of photographs those that pages know, `top` at most: numbers, values and boxes (packed)."""
    known = natural.are_known(rows)
    order = np.argsort(~known, axis=1, kind="stable")[:, :top]
    rows, values, known = (np.take_along_axis(one, order, axis=1) for one in (rows, values, known))
    numbers = index.numbers(natural, np.where(known, rows, -1)).tolist()
    found_boxes = packed.boxes(np.take_along_axis(boxes, order[..., None], axis=1))
    columns = (numbers, packed.rounded(values), found_boxes, known.sum(axis=1).tolist())
    letters = 2 * boxes.shape[-1]
    return [[few[:count], told[:count], box[: letters * count]] for few, told, box, count in zip(*columns, strict=True)]


def _between(natural: Natural, units: np.ndarray, index: Index) -> list[list]:
    """Of each shown quantile its value and the photographs there, each where it comes first: of a unit that most
    photographs leave cold several quantiles are the same 0, and one photograph stands for all of these."""
    layer = natural.layer
    columns = (layer.quantile_image[units], layer.quantile_value[units], layer.quantile_box[units])
    rows = columns[0].reshape(len(units), -1).copy()
    for place in range(1, rows.shape[1]):
        rows[(rows[:, :place] == rows[:, place, None]).any(axis=1), place] = -1
    columns = (rows.reshape(columns[0].shape), *columns[1:])
    middle = packed.rounded(columns[1][:, :, columns[1].shape[2] // 2])
    groups = range(columns[0].shape[1])
    found = zip(*(_entries(natural, index, *(one[:, group] for one in columns)) for group in groups), strict=True)
    return [[[own, *one] for own, one in zip(*row, strict=True)] for row in zip(middle, found, strict=True)]


def _classes(natural: Natural, units: np.ndarray) -> list[list]:
    """(name, share) of the classes of each unit's best photographs."""
    numbers = natural.layer.class_index[units].tolist()
    shares = packed.rounded(natural.layer.class_share[units], 2)
    names = natural.all.classes
    return [
        [[names[number], share] for number, share in zip(*row, strict=True) if number >= 0]
        for row in zip(numbers, shares, strict=True)
    ]
