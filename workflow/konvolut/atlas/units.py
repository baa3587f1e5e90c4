"""All that is known of a layer's units: the columns by which a page sorts them, their table, and a summary of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from konvolut.asked import terms
from konvolut.asked.selection import format_channels
from konvolut.atlas import packed
from konvolut.atlas.evidence import Natural, table_columns, table_rows
from konvolut.atlas.model import LayerFacts, Shown
from konvolut.pictures import health
from konvolut.results import store

# Numbers of units over photographs that order a grid; `std` with the mean says how far a picture lies above them.
SORTABLE = ("mean", "std", "max", "active", "selectivity")


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
    activations: list[list[float]] = field(default_factory=list)  # mean and maximum, clean and held-out
    deviations: list[list[float]] = field(default_factory=list)  # of the maxima
    curves: list[list] = field(default_factory=list)  # first and last value, levels
    attempts: list[int] = field(default_factory=list)
    passports: list[dict] = field(default_factory=list)
    passport_of: list[int] = field(default_factory=list)
    animated: bool = False

    def add(self, pictures: store.Pictures, passport: dict, natural: np.ndarray | None) -> None:
        """Note one shard's facts; `natural` (units, 4) has the lowest and the highest of the photographs' maxima, their
        mean and their standard deviation."""
        if passport not in self.passports:
            self.passports.append(passport)
        self.steps = [int(step) for step in pictures.step]
        self.last_step = max(0, pictures.curve.shape[1] - 1)
        silences = terms.silences(passport.get("recipe", {}).get("objective", ()))
        channels = pictures.channel.astype(int)
        least, best = (None, None) if natural is None else natural[channels, :2].T
        self.health += health.verdicts(pictures.curve, pictures.activation[:, 1], best, least if silences else None)
        self.channels += channels.tolist()
        self.activations += packed.rounded(pictures.activation)
        if natural is not None:
            mean, std = natural[channels, 2:].T[..., None]
            self.deviations += packed.rounded(health.deviations(pictures.activation[:, [1, 3]], mean, std))
        self.curves += packed.curves(pictures.curve)
        self.attempts += pictures.attempt.astype(int).tolist()
        self.passport_of += [self.passports.index(passport)] * len(channels)

    @property
    def held_out(self) -> list[float]:
        """Activation under held-out transforms of each slot."""
        return [values[3] for values in self.activations]

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
    natural = {name: packed.rounded(values) for name, values in known.items() if values is not None}
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


def table(units: LayerUnits) -> Iterable[list]:
    """Rows of units.csv, the heading first."""
    yield (
        ["channel", "series", "health", "mean", "max", "mean_held_out", "max_held_out", "attempt"]
        + ["deviations", "deviations_held_out"]
        + [f"natural_{name}" for name in table_columns()]
        + ["best_photographs"]
    )
    pictured = {
        (channel, series.prefix): [health.NAMES[letter], *reached, attempt, *beyond]
        for series in units.series
        if series.curves
        for channel, letter, reached, attempt, beyond in zip(
            *(series.channels, series.health, series.activations, series.attempts),
            series.deviations or [["", ""]] * len(series.channels),
            strict=True,
        )
    }
    seen = {channel for channel, _ in pictured}
    natural = _natural_rows(units)
    rows = list(pictured) + [(channel, "") for channel in units.known() if channel not in seen]
    for channel, prefix in sorted(rows):
        yield [channel, prefix, *pictured.get((channel, prefix), [""] * 8), *natural[channel]]


def _natural_rows(units: LayerUnits) -> list[list]:
    natural = units.natural
    if natural is None:
        return [[""] * (len(table_columns()) + 1)] * units.count
    keys = natural.all.image
    best = [
        " ".join(keys[row] for row in rows if 0 <= row < len(keys))
        for rows in natural.layer.image[:, : natural.top].tolist()
    ]
    return [[*row, shown] for row, shown in zip(table_rows(natural), best, strict=True)]


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
