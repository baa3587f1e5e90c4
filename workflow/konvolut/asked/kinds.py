"""Kinds of configuration values: what a key may hold, in words, as JSON schema and as a strict reader. No torch here.

A kind never guesses: `true` is no number and 1 no `true`. But a text that spells a number is one, because Snakemake's
--config hands over everything inside a section as text. A dataclass of settings is a list of `setting(kind, default)`;
keys.py fills it from what the user wrote.
"""

import contextlib
import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from konvolut.errors import UserError, nearest

# More channels than any layer has (the widest of timm have some ten thousand); bounds what "0-99999999" can cost.
MOST_CHANNELS = 1_000_000
# One channel number or both ends of a range.
SPAN = r"\s*(\d{1,7})(?:-(\d{1,7}))?\s*"
# Control characters (C0, DEL, C1) and lone surrogates, as Python reads them from file names that are no UTF-8.
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Longer values are cut in messages, which stay one readable sentence.
LONGEST_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of value: `read(value)` gives the setting or None where `value` is not of this kind."""

    words: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]

    def setting(self, value: Any, where: str) -> Any:
        """The setting that `value` means; raises UserError naming `where` (a dotted key) if it means none."""
        found = self.read(value)
        if found is None:
            found = self.read(spelled(value))
        if found is None:
            raise UserError(f"config: {where} must be {self.words}, not {shown(value)}{self._nearest(value)}")
        return found

    def _nearest(self, value: Any) -> str:
        """What the first word that is none of the possible ones may mean."""
        possible = self.schema.get("enum") or self.schema.get("items", {}).get("enum", ())
        words = value if isinstance(value, list) else [value]
        return next((nearest(word, possible) for word in words if isinstance(word, str) and word not in possible), "")


@dataclasses.dataclass(frozen=True)
class Channels:
    """Which channels of a layer: `kind` is all, first, random (`count` of them) or numbers."""

    kind: str
    count: int = 0
    numbers: tuple[int, ...] = ()


def spelled(value: Any) -> Any:
    """The number, true or false that a text spells, also inside lists; anything else as it is."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if not isinstance(value, str) or value in ("true", "false"):
        return value if value not in ("true", "false") else value == "true"
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(value)
    return value


def setting(kind: Kind, default: Any) -> Any:
    """A dataclass field of that kind; the default stands nowhere else."""
    return dataclasses.field(default=default, metadata={"kind": kind})


def whole(low: int, high: int | None = None) -> Kind:
    """Whole numbers from `low` to `high`."""
    bounds = {"minimum": low} if high is None else {"minimum": low, "maximum": high}
    words = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def read(value: Any) -> int | None:
        return value if type(value) is int and low <= value and (high is None or value <= high) else None

    return Kind(words, {"type": "integer", **bounds}, read)


def whole_or(word: str, low: int) -> Kind:
    """A word, or whole numbers from `low` on."""
    number = whole(low)
    schema = {"anyOf": [{"const": word}, number.schema]}
    return Kind(f"{word} or {number.words}", schema, lambda value: word if value == word else number.read(value))


def number_above(low: float, *, allow_equal: bool) -> Kind:
    """Finite numbers above `low`, or from `low` on."""

    def read(value: Any) -> float | None:
        is_number = type(value) in (int, float) and math.isfinite(value)
        return float(value) if is_number and (low < value or (allow_equal and low == value)) else None

    bound = {"minimum": low} if allow_equal else {"exclusiveMinimum": low}
    words = f"a number of at least {low:g}" if allow_equal else f"a number above {low:g}"
    return Kind(words, {"type": "number", **bound}, read)


def share() -> Kind:
    """Numbers above 0, up to 1."""

    def read(value: Any) -> float | None:
        return float(value) if type(value) in (int, float) and 0 < value <= 1 else None

    return Kind("a number above 0, at most 1", {"type": "number", "exclusiveMinimum": 0, "maximum": 1}, read)


def choice(*words: str) -> Kind:
    """One of a few words."""
    return Kind(f"one of {', '.join(words)}", {"enum": list(words)}, lambda value: value if value in words else None)


def texts(words: str, *, allow_none: bool = False) -> Kind:
    """One text or a list of texts, as a tuple; with `allow_none` the list may be empty."""

    def read(value: Any) -> tuple[str, ...] | None:
        items = [value] if isinstance(value, str) else value
        fine = isinstance(items, list) and all(isinstance(item, str) and item.strip() for item in items)
        return tuple(items) if fine and (items or allow_none) else None

    item = {"type": "string", "minLength": 1}
    return Kind(words, {"anyOf": [item, {"type": "array", "items": item, "minItems": 0 if allow_none else 1}]}, read)


def words_among(*possible: str) -> Kind:
    """A list of words out of a few."""

    def read(value: Any) -> tuple[str, ...] | None:
        fine = isinstance(value, list) and value and all(item in possible for item in value)
        return tuple(dict.fromkeys(value)) if fine else None

    schema = {"type": "array", "items": {"enum": list(possible)}, "minItems": 1}
    return Kind(f"a list of {', '.join(possible)}", schema, read)


def pairs(*names: str) -> Kind:
    """A list of pairs of a name and a number, in their order; a name may stand twice."""

    def is_pair(pair: Any) -> bool:
        right = isinstance(pair, list) and [type(part) for part in pair] in ([str, int], [str, float])
        return right and pair[0] in names and 0 <= pair[1] < math.inf

    def read(value: Any) -> tuple[tuple[str, float], ...] | None:
        fine = isinstance(value, list) and all(map(is_pair, value))
        return tuple((name, float(amount)) for name, amount in value) if fine else None

    pair = {"prefixItems": [{"enum": list(names)}, {"type": "number", "minimum": 0}], "minItems": 2, "items": False}
    words = f"a list of pairs such as [{names[0]}, 4], of {', '.join(names)}"
    return Kind(words, {"type": "array", "items": {"type": "array", **pair}}, read)


def sums(pattern: str, words: str) -> Kind:
    """One term that matches a pattern, or a list of pairs of a term and its weight; always read as pairs."""

    def is_pair(pair: Any) -> bool:
        right = isinstance(pair, list) and [type(part) for part in pair] in ([str, int], [str, float])
        return right and bool(re.search(pattern, pair[0])) and math.isfinite(pair[1])

    def read(value: Any) -> tuple[tuple[str, float], ...] | None:
        pairs = [[value, 1]] if isinstance(value, str) else value
        fine = isinstance(pairs, list) and pairs and all(map(is_pair, pairs))
        return tuple((term, float(weight)) for term, weight in pairs) if fine else None

    term = {"type": "string", "pattern": pattern}
    pair = {"type": "array", "prefixItems": [term, {"type": "number"}], "minItems": 2, "items": False}
    return Kind(words, {"anyOf": [term, {"type": "array", "items": pair, "minItems": 1}]}, read)


def or_null(kind: Kind) -> Kind:
    """The same, or null, which reads as "not said"."""
    return Kind(f"{kind.words}, or null", {"anyOf": [{"type": "null"}, kind.schema]}, kind.read)


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() and not UNSHOWABLE.search(value) else None


def _read_switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_targets(value: Any) -> tuple[str | int, ...] | None:
    return _read_some_targets(value) or None


def _read_some_targets(value: Any) -> tuple[str | int, ...] | None:
    items = [int(item) if str(item).isdecimal() else item for item in (value if isinstance(value, list) else [value])]
    fine = all((type(item) is int and item >= 0) or _read_text(item) for item in items)
    return tuple(dict.fromkeys(items)) if fine else None


def _read_channels(value: Any) -> Channels | None:
    counted = re.fullmatch(r"(first|random):([1-9]\d{0,6})", value) if isinstance(value, str) else None
    if value == "all":
        return Channels("all")
    if counted:
        return Channels(counted[1], int(counted[2]))
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    spans = [_read_span(item) for item in items]
    if None in spans:
        return None
    return Channels("numbers", numbers=tuple(dict.fromkeys(number for span in spans for number in span)))


def _read_span(item: Any) -> range | None:
    """5, "5" in a text list, or "3-7" with both ends."""
    match = re.fullmatch(SPAN, str(item)) if type(item) in (int, str) else None
    if not match:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first, last + 1) if first <= last < MOST_CHANNELS else None


TEXT = Kind("text", {"type": "string", "minLength": 1}, _read_text)
SWITCH = Kind("true or false", {"type": "boolean"}, _read_switch)
LAYERS = texts("auto, all, or a list of layer names, globs such as blocks.*.conv_pwl and kinds such as kind:Conv2d")
CLASS = {"type": ["integer", "string"], "minLength": 1, "minimum": 0}


def targets(words: str, *, allow_none: bool = False) -> Kind:
    """One class or a list of classes: numbers and names; with `allow_none` the list may be empty."""
    some = {"type": "array", "items": CLASS, "minItems": 0 if allow_none else 1}
    return Kind(words, {"anyOf": [CLASS, some]}, _read_some_targets if allow_none else _read_targets)


TARGETS = targets("a list of class numbers, class names and predicted")
CHANNEL = {"type": ["integer", "string"], "minimum": 0, "exclusiveMaximum": MOST_CHANNELS, "pattern": f"^{SPAN}$"}
SOME_CHANNELS = {"type": "string", "pattern": rf"^(all|(first|random):[1-9]\d{{0,6}}|{SPAN}(,{SPAN})*)$"}
CHANNELS = Kind(
    "all, first:N, random:N, a range such as 0-15, or a list of numbers and ranges",
    {"anyOf": [SOME_CHANNELS, CHANNEL, {"type": "array", "items": CHANNEL}]},
    _read_channels,
)


def shown(value: Any) -> str:
    """A value as messages name it."""
    if value is None:
        return "empty (null)"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    cut = f"{text[:LONGEST_SHOWN]}..." if len(text) > LONGEST_SHOWN else text
    return f"the text {cut}" if isinstance(value, str) else cut
