"""What the script of a layer's page is told about its units: columns to sort by, and details of each for the panel."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from konvolut.asked import terms
from konvolut.asked.plan import format_channels
from konvolut.atlas import passports
from konvolut.atlas.evidence import Index, Natural, of_unit, rounded, table_columns, table_row
from konvolut.atlas.model import LayerFacts, Shown
from konvolut.pictures import health
from konvolut.results import store

DETAILS_PER_FILE = 256  # units; about 100 KB a file, which opens within a few ms
# Numbers of units over photographs that order a grid; `std` with the mean says how far a picture lies above them.
SORTABLE = ("mean", "std", "max", "active", "selectivity")
CURVE_POINTS = 24  # as many as a curve of 200 px can show; .6 KB of data a unit is the limit


@dataclass
class Series:
    """Pictures of some units by one technique from one start, as the pages need them; `slots` are in sheet order."""

    technique: str
    start: str
    prefix: str
    title: str
    sheets: dict[str, dict] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    last_step: int = 0
    channels: list[int] = field(default_factory=list)
    health: str = ""
    activations: list[list[float]] = field(default_factory=list)
    curves: list[list[float]] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    passports: list[dict] = field(default_factory=list)
    passport_of: list[int] = field(default_factory=list)
    animated: bool = False

    def add(self, pictures: store.Pictures, passport: dict, natural: np.ndarray | None) -> None:
        """Note one shard's facts; `natural` (units, 2) has the lowest and the highest of the photographs' maxima."""
        if passport not in self.passports:
            self.passports.append(passport)
        self.steps = [int(step) for step in pictures.step]
        self.last_step = max(0, pictures.curve.shape[1] - 1)
        silences = terms.silences(passport.get("recipe", {}).get("objective", ()))
        for row, channel in enumerate(map(int, pictures.channel)):
            least, best = (None, None) if natural is None else map(float, natural[channel])
            self.channels.append(channel)
            reached = float(pictures.activation[row][1])
            self.health += health.verdict(pictures.curve[row], reached, best, least if silences else None)
            self.activations.append(rounded(pictures.activation[row]))
            self.curves.append(rounded(thinned(pictures.curve[row])))
            self.attempts.append(int(pictures.attempt[row]))
            self.passport_of.append(self.passports.index(passport))

    def columns(self) -> dict:
        """What the grid needs to know."""
        return self.outline() | {
            "steps": self.steps,
            "animated": self.animated,
            "last_step": self.last_step,
            "health": self.health,
            "activation": [values[1] for values in self.activations],
        }

    def outline(self) -> dict:
        """What other pages need to know to show one of these pictures."""
        return {
            "technique": self.technique,
            "start": self.start,
            "prefix": self.prefix,
            "title": self.title,
            "units": format_channels(self.channels),
            "sheets": self.sheets,
        }

    def detail(self, slot: int) -> dict:
        """What the panel needs to know about one unit."""
        return {
            "activation": self.activations[slot],
            "attempt": self.attempts[slot],
            "curve": self.curves[slot],
            "passport": self.passport_of[slot],
        }


@dataclass(frozen=True)
class LayerUnits:
    """All that is known of one layer's units: series of pictures and, where computed, evidence from photographs."""

    count: int
    series: list[Series]
    natural: Natural | None = None
    names: tuple[str, ...] = ()
    similar: tuple[int, ...] = ()
    planned: tuple[int, ...] = ()

    @property
    def waiting(self) -> list[int]:
        """Planned channels that have no picture from noise yet."""
        there = {channel for series in self.series if series.technique == "channels" for channel in series.channels}
        return sorted(set(self.planned) - there)

    @property
    def photographs(self) -> int:
        """Over how many photographs evidence was taken."""
        return self.natural.all.photographs if self.natural else 0

    @property
    def effective_px(self) -> int:
        """Side of the square that boxes on photographs are, 0 where they are receptive fields."""
        side_px = self.natural.layer.effective_px if self.natural else None
        return round(float(side_px)) if side_px is not None else 0

    def top(self, channel: int) -> Shown | None:
        """The photograph that excites a unit most."""
        if self.natural is None or not self.natural.layer.image.shape[1]:
            return None
        return self.natural.photograph(int(self.natural.layer.image[channel][0]))

    def known(self) -> list[int]:
        """Channels of which there is anything to show."""
        return sorted({channel for series in self.series for channel in series.channels})


def columns(units: LayerUnits) -> dict:
    """The table behind sort and filter, for the whole layer; `top` indexes `photographs`."""
    tops = [units.top(channel) for channel in range(units.count)]
    used = _used(tops)
    found = units.natural.layer if units.natural else None
    known = {name: getattr(found, name) for name in SORTABLE} if found else {}
    natural = {name: rounded(values) for name, values in known.items() if values is not None}
    return {
        "kind": "columns",
        "count": units.count,
        "over": units.photographs,
        "photographs": [photo.told() for photo in used],
        "names": list(units.names),
        "top": [used.index(photo) if photo else -1 for photo in tops] if used else [],
        "natural": natural,
        "similar": list(units.similar),
        "series": [series.columns() for series in units.series],
    }


def details(units: LayerUnits) -> Iterable[tuple[int, dict]]:
    """(number, content) of each details file; a file holds the channels number * 256 to number * 256 + 255."""
    slots = [{channel: slot for slot, channel in enumerate(series.channels)} for series in units.series]
    for number in sorted({channel // DETAILS_PER_FILE for channel in units.known()}):
        first = number * DETAILS_PER_FILE
        channels = [channel for channel in units.known() if first <= channel < first + DETAILS_PER_FILE]
        index = Index()
        content = {}
        for channel in channels:
            pictures = {
                series.prefix: series.detail(where[channel])
                for series, where in zip(units.series, slots, strict=True)
                if channel in where and series.curves
            }
            content[str(channel)] = {
                "pictures": pictures,
                **(of_unit(units.natural, channel, index) if units.natural else {}),
            }
        yield (
            number,
            {
                "kind": f"details-{number}",
                "photographs": [photo.told() for photo in index.photographs],
                "places": list(index.places),
                "wanted": units.natural.beside.wanted if units.natural else 0,
                "passports": {
                    series.prefix: [passports.rows(one) for one in series.passports]
                    for series in units.series
                    if series.passports
                },
                "units": content,
            },
        )


def table(units: LayerUnits) -> Iterable[list]:
    """Rows of units.csv, the heading first."""
    yield (
        ["channel", "series", "health", "mean", "max", "mean_held_out", "max_held_out", "attempt"]
        + ["deviations", "deviations_held_out"]
        + [f"natural_{name}" for name in table_columns()]
        + ["best_photographs"]
    )
    pictured = {
        (channel, series.prefix): [
            *(health.NAMES[series.health[slot]], *series.activations[slot], series.attempts[slot]),
            *_deviations(units, channel, series.activations[slot]),
        ]
        for series in units.series
        if series.curves
        for slot, channel in enumerate(series.channels)
    }
    seen = {channel for channel, _ in pictured}
    rows = list(pictured) + [(channel, "") for channel in units.known() if channel not in seen]
    for channel, prefix in sorted(rows):
        yield [channel, prefix, *pictured.get((channel, prefix), [""] * 8), *_natural_row(units, channel)]


def _deviations(units: LayerUnits, channel: int, activation: list[float]) -> list:
    """Clean and held-out maximum in standard deviations of the unit over the photographs."""
    if units.natural is None:
        return ["", ""]
    mean, std = (float(getattr(units.natural.layer, name)[channel]) for name in ("mean", "std"))
    return rounded([health.deviations(activation[place], mean, std) for place in (1, 3)])


def _natural_row(units: LayerUnits, channel: int) -> list:
    natural = units.natural
    if natural is None:
        return [""] * (len(table_columns()) + 1)
    rows = [int(row) for row in natural.layer.image[channel][: natural.top]]
    best = [natural.all.image[row] for row in rows if 0 <= row < len(natural.all.image)]
    return [*table_row(natural, channel), " ".join(best)]


def thinned(curve: np.ndarray) -> np.ndarray:
    """At most CURVE_POINTS values of a curve, its ends among them."""
    if len(curve) <= CURVE_POINTS:
        return curve
    return curve[np.linspace(0, len(curve) - 1, CURVE_POINTS).round().astype(int)]


def _used(photographs: Iterable[Shown | None]) -> list[Shown]:
    return list(dict.fromkeys(photo for photo in photographs if photo))


def summary(units: LayerUnits, facts: LayerFacts) -> dict:
    """What the pages of models, photographs and the whole atlas show of a layer."""
    series = []
    for entry in units.series:
        counts = {name: entry.health.count(letter) for letter, name in health.NAMES.items()}
        series.append(
            entry.outline() | {"count": len(entry.channels), "health": counts, "passports": entry.passports[:1]}
        )
    return {
        "layer": facts.name,
        "channels": facts.channels,
        "photographs": units.photographs,
        "names": list(units.names),
        "best": _best(units),
        "waiting": format_channels(units.waiting),
        "series": series,
    }


def _best(units: LayerUnits) -> dict:
    """The photograph that excites each unit most, as the place of its key; -1 for none."""
    tops = [units.top(channel) for channel in range(units.count)]
    used = _used(tops)
    return {"photographs": [photo.key for photo in used], "of_unit": [used.index(one) if one else -1 for one in tops]}
