"""Configuration files, read strictly: YAML lets the last of two equal keys win, here it is a mistake. No torch here."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from konvolut.errors import UserError

MERGE = "tag:yaml.org,2002:merge"  # the key <<, which may stand twice


def read(path: Path) -> dict:
    """The keys of a YAML or JSON file; UserError where it cannot be read, is no mapping, or has a key twice."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"the configuration {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the configuration {path} is no UTF-8 text") from error
    try:
        for key, first, second in _twice(yaml.compose(text, yaml.SafeLoader), "", set()):
            raise UserError(
                f"config: {key} stands twice in {path}, on the lines {first} and {second}: leave one of them"
            )
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # the latter of dates and numbers that are none
        raise UserError(f"the configuration {path} is no YAML: {_in_one_line(error)}") from error
    if not isinstance(found, dict | None):
        raise UserError(f"the configuration {path} must hold keys and their values, not a {type(found).__name__}")
    return found or {}


def _twice(node: yaml.Node | None, where: str, seen: set[int]) -> Iterator[tuple[str, int, int]]:
    """(dotted key, line, line) of each key that stands twice in its mapping, at any depth."""
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))  # an alias may lead back to where it stands
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, where, seen)
        return
    first: dict[tuple, yaml.Node] = {}
    for key, value in node.value:
        name = f"{where}.{key.value}" if where else str(key.value)
        other = first.setdefault((key.tag, str(key.value)), key)
        if other is not key and key.tag != MERGE:
            yield name, other.start_mark.line + 1, key.start_mark.line + 1
        yield from _twice(value, name, seen)


def _in_one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"{place}{said}"
