"""Frozen dataclasses as canonical JSON and back: shards, models and settings on their way to a job. No torch here."""

import dataclasses
import json
import types
import typing
from pathlib import Path

# Fields that say where something was written down, not what it is: no reason to compute anything again.
NOT_IN_JSON = {"sheet_line"}


def to_json(shard, **others) -> str:
    """A shard, or another dataclass, as canonical JSON; `others` take the place of its own fields."""
    return in_json(plain(shard) | others)


def in_json(told: dict) -> str:
    """What plain made, with sorted keys, so that equal shards are equal texts."""
    return json.dumps(told, sort_keys=True, ensure_ascii=False)


def from_json(kind: type, text: str):
    """The shard of class `kind` that to_json wrote."""
    return _build(kind, json.loads(text))


def plain(value):
    """A value as JSON can hold it; a dataclass becomes a dictionary."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in NOT_IN_JSON}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _build(kind, value):
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _build(hints[name], item) for name, item in value.items()})
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        items = typing.get_args(kind)
        if items and items[-1] is not Ellipsis:
            return tuple(_build(item, part) for item, part in zip(items, value, strict=True))
        return tuple(_build(items[0] if items else object, part) for part in value)
    if isinstance(kind, types.UnionType) or kind in (object, typing.Any):
        return tuple(_build(object, part) for part in value) if isinstance(value, list) else value
    return value
