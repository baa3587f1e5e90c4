"""Sections of keys: dataclasses of settings, filled strictly from what the user wrote. No torch here."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from konvolut.asked.kinds import Kind, shown
from konvolut.errors import UserError, nearest


def read_section(section: type, raw: Any, where: str) -> Any:
    """The dataclass `section` filled from the mapping `raw`; UserError for what it does not know."""
    kinds = kinds_of(section)
    known = mapping(raw, where)
    refuse_unknown(known, kinds, where)
    given = {key: value for key, value in known.items() if not (value in (None, "null") and is_nullable(kinds[key]))}
    return section(**{key: kinds[key].setting(value, dotted(where, key)) for key, value in given.items()})


def kinds_of(section: type) -> dict[str, Kind]:
    """The keys of a section that a user can write, each with its kind."""
    return {field.name: field.metadata["kind"] for field in dataclasses.fields(section) if "kind" in field.metadata}


def is_nullable(kind: Kind) -> bool:
    """Whether null is one of this kind's values."""
    return {"type": "null"} in kind.schema.get("anyOf", ())


def mapping(raw: Any, where: str) -> dict[str, Any]:
    """`raw` as a mapping; an empty section (null) has no keys."""
    if raw is not None and not isinstance(raw, Mapping):
        raise UserError(f"config: {where or 'the configuration'} must be a section of keys, not {shown(raw)}")
    return dict(raw or {})


def refuse_unknown(given: Iterable, known: Iterable[str], where: str) -> None:
    """Raise UserError for the first key that is not known, with the nearest one that is."""
    possible = list(known)
    for key in given:
        if key not in possible:
            close = nearest(str(key), possible)
            asked = f"config: unknown key {dotted(where, key)}"
            raise UserError(f"{asked}{close}" if close else f"{asked}; possible: {', '.join(possible) or 'none'}")


def dotted(where: str, key: Any) -> str:
    """The key's place: "dreams.steps"."""
    return f"{where}.{key}" if where else str(key)
