"""Passports as the unit's panel lists them: a name and a text each."""

import json
from collections.abc import Iterator

LISTED = 12  # whole numbers that are written out; more of them, as the channels of a shard, are told by their ends


def rows(value, name: str = "") -> list[list[str]]:
    """[name, text] of every entry of a passport; what lies inside something else is named `outer.inner`."""
    return list(_rows(value, name))


def _rows(value, name: str) -> Iterator[list[str]]:
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        yield [name, _listed(value)]
    elif isinstance(value, list | dict):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in entries:
            yield from _rows(item, f"{name}.{key}" if name else str(key))
    else:
        yield [name, _text(value)]


def _listed(values: list) -> str:
    if len(values) > LISTED and all(isinstance(value, int) for value in values):
        return f"{len(values)} values, {values[0]} to {values[-1]}"
    return ", ".join(map(_text, values))


def _text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
