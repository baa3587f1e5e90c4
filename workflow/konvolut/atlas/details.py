"""Details of a layer's units for the panel, 256 units a file, column by column: names of facts stand in it once.

    pictures     by series: units (ranges), held-out activation, retries, curve (first, last, levels), passport's number
    of           units and what photographs say of them, a list for each kind of fact, see evidence.py
    photographs, places, classes     what entries of `of` count
    passports    by series, as (name, value)           wanted   photographs that look-alikes would need
    best         of which photographs the shares of classes are

evidence.js puts together again what columns.js and these say of one unit.
"""

from collections.abc import Iterable

from konvolut.asked.selection import format_channels
from konvolut.atlas import passports
from konvolut.atlas.evidence import Index, Natural, of_units
from konvolut.atlas.units import LayerUnits, Series

PER_FILE = 256  # units; about 100 KB a file, which opens within a few ms; atlas.js counts the same


def details(units: LayerUnits) -> Iterable[tuple[int, dict]]:
    """(number, content) of each details file; a file holds the channels number * 256 to number * 256 + 255."""
    known = units.known()
    pictured = [series for series in units.series if series.curves]
    for number in sorted({channel // PER_FILE for channel in known}):
        inside = range(number * PER_FILE, (number + 1) * PER_FILE)
        channels = [channel for channel in known if channel in inside]
        index = Index()
        ranges = format_channels(channels)
        told = {"units": ranges} | of_units(units.natural, channels, index) if units.natural else {}
        yield (
            number,
            {
                "kind": f"details-{number}",
                "photographs": [photo.told() for photo in index.photographs],
                "places": list(index.places),
                "classes": list(index.classes),
                "best": _best(units.natural),
                "wanted": units.natural.beside.wanted if units.natural else 0,
                "passports": {series.prefix: [passports.rows(one) for one in series.passports] for series in pictured},
                "pictures": {series.prefix: _of_pictures(series, inside) for series in pictured},
                "of": told,
            },
        )


def _best(natural: Natural | None) -> str:
    """Of which photographs a unit's classes are, and whose word for them."""
    if natural is None:
        return ""
    said = {"labels": ", as they are labelled", "predictions": ", as the model takes them"}
    return f"Of its {natural.layer.image.shape[1]} best photographs{said.get(natural.all.classes_are, '')}: "


def _of_pictures(series: Series, inside: range) -> dict:
    slots = [slot for slot, channel in enumerate(series.channels) if channel in inside]
    columns = {"held": series.held_out, "retries": series.attempts, "curve": series.curves}
    columns["passport"] = series.passport_of
    told = {name: [values[slot] for slot in slots] for name, values in columns.items()}
    return {"units": format_channels([series.channels[slot] for slot in slots])} | told
