"""What photographs say about a unit, as the panel and the tables show it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from konvolut.atlas.model import LayerInputs, Shown
from konvolut.results import evidence, store

QUANTILES = ("q01", "q10", "q25", "median", "q75", "q90", "q99")
# Digits of boxes on photographs of some 300 px: two are as good as a pixel or two.
BOX_DIGITS = 3


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


@dataclass
class Index:
    """Photographs of one details file; entries of units are numbers in it."""

    photographs: dict[Shown, int] = field(default_factory=dict)
    places: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def number(self, photo: Shown) -> int:
        """The photograph's number; a new one is added."""
        return self.photographs.setdefault(photo, len(self.photographs))

    def place(self, place: tuple[str, str, int]) -> int:
        """The number of a layer: its model's key, its name, how many units it has."""
        return self.places.setdefault(place, len(self.places))


def read_beside(inputs: LayerInputs) -> Beside:
    """Look-alikes and trust of a layer, where they were computed."""
    if inputs.alike is None:
        return Beside(wanted=inputs.alike_from if len(inputs.photographs) < inputs.alike_from else 0)
    places, alike = store.read_alike(inputs.alike, inputs.layer)
    trust = store.read_named(inputs.trust, evidence.Trust).get(inputs.layer) if inputs.trust else None
    return Beside([(*place, units) for place, units in places.items()], alike, trust)


def of_unit(natural: Natural, unit: int, index: Index) -> dict:
    """A unit's examples (number, value, box each), its statistics, and the classes of its best photographs."""
    layer = natural.layer
    ranks = zip(layer.image[unit], layer.value[unit], layer.box[unit], strict=True)
    told = {
        "examples": _entries(natural, ranks, index)[: natural.top],
        "histogram": [int(count) for count in layer.histogram[unit]],
        "edges": rounded(layer.edges[unit][[0, -1]], 4),
        "natural": rounded([layer.mean[unit], layer.std[unit], layer.max[unit], layer.active[unit]]),
    }
    told |= _alike(natural.beside, unit, index) | _trust(natural.beside, unit, index)
    if layer.quantiles is None:
        return told
    told["between"] = _between(natural, unit, index)
    told["more"] = [*rounded(layer.quantiles[unit][[3, 6]]), *rounded([layer.selectivity[unit]]), int(layer.dead[unit])]
    told["classes"] = _classes(natural, unit)
    return told


def table_columns() -> list[str]:
    """Names of the columns that `table_row` fills."""
    return ["mean", "std", "max", "active", *QUANTILES, "dead", "selectivity", "class", "class_share"]


def table_row(natural: Natural, unit: int) -> list:
    """The numbers of a unit as CSV cells; empty where not known."""
    layer = natural.layer
    row = rounded([getattr(layer, name)[unit] for name in ("mean", "std", "max", "active")])
    if layer.quantiles is None:
        return [*row, *[""] * (len(table_columns()) - len(row))]
    best = next(iter(_classes(natural, unit)), ["", ""])
    return [*row, *rounded(layer.quantiles[unit]), int(layer.dead[unit]), *rounded([layer.selectivity[unit]]), *best]


def rounded(values: Sequence[float], digits: int = 3) -> list[float | int | None]:
    """Numbers to so many significant digits; what is not finite becomes None."""
    return [_short(float(f"{float(value):.{digits}g}")) for value in values]


def _short(value: float) -> float | int | None:
    if not np.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def _alike(beside: Beside, unit: int, index: Index) -> dict:
    """Of each relation what chance alone would reach, and (place, unit, correlation) of those above it."""
    if not beside.alike:
        return {}
    rows = []
    for relation, found in beside.alike.items():
        columns = (found.place[unit], found.unit[unit], found.correlation[unit])
        best = [
            [index.place(beside.places[place]), int(other), *rounded([correlation], 2)]
            for place, other, correlation in zip(*columns, strict=True)
            if correlation > found.chance
        ]
        rows.append([relation, *rounded([found.chance], 2), best])
    return {"alike": rows}


def _trust(beside: Beside, unit: int, index: Index) -> dict:
    """The way of a unit's picture through the layers below, and what it does to the unit's twins."""
    trust = beside.trust
    slots = [] if trust is None else np.flatnonzero(trust.channel == unit)
    if not len(slots):
        return {}
    slot = slots[0]
    twins = []
    for column, relation in enumerate(trust.relation):
        place = int(trust.twin_place[slot, column])
        if place >= 0:
            reached = (
                trust.twin_reached[slot, column],
                trust.twin_best[slot, column],
                trust.twin_deviations[slot, column],
            )
            where = index.place(beside.places[place])
            twins.append([relation, where, int(trust.twin_unit[slot, column]), *rounded(reached, 2)])
    path = [[name, *rounded([share], 2)] for name, share in zip(trust.below, trust.path[slot], strict=True)]
    return {"trust": {"path": path, "twins": twins}}


def _entries(natural: Natural, ranks, index: Index) -> list[list]:
    entries = []
    for row, value, box in ranks:
        photo = natural.photograph(int(row))
        if photo is not None:
            entries.append([index.number(photo), *rounded([value]), *rounded(box, BOX_DIGITS)])
    return entries


def _between(natural: Natural, unit: int, index: Index) -> list[list]:
    """Of each shown quantile its value and the photographs there, each where it comes first: of a unit that most
    photographs leave cold several quantiles are the same 0, and one photograph stands for all of these."""
    layer, seen, told = natural.layer, set(), []
    columns = (layer.quantile_image[unit], layer.quantile_value[unit], layer.quantile_box[unit])
    for image, value, box in zip(*columns, strict=True):
        entries = {entry[0]: entry for entry in _entries(natural, zip(image, value, box, strict=True), index)}
        told.append([*rounded([value[len(value) // 2]]), [entries[number] for number in entries if number not in seen]])
        seen |= set(entries)
    return told


def _classes(natural: Natural, unit: int) -> list[list]:
    pairs = zip(natural.layer.class_index[unit], natural.layer.class_share[unit], strict=True)
    return [[natural.all.classes[number], *rounded([share], 2)] for number, share in pairs if number >= 0]
