"""Which units a result should hold by the plan, and which it does hold. No torch here."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from konvolut.asked.plan import OF_CHANNELS, ON_CHOSEN_IMAGES
from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.selection import parse_channels
from konvolut.asked.settings import Photograph, Settings
from konvolut.results import store
from konvolut.results.hdf5 import open_file, text_of

OF_WHOLE_MODELS = ("kernels", "alike", "trust", "examples")  # with a group for each layer
MOST_NAMED = 3  # units that a sentence names


def names_in(path: Path, what: str) -> list[str]:
    """What the groups of `what` (a kind, or "pictures") are called; of files with rows the keys of the photographs, of
    files about a whole model its layers."""
    with open_file(path) as file:
        if what in ("activations", "saliency"):
            return text_of(file["image"])
        return list(file.get("layers" if what in ("alike", "examples") else what, {}))


def missing(path: Path, row: dict, settings: Settings, photographs: Sequence[Photograph], layers: Iterable[str]) -> str:
    """Which units of a row of the plan are not in its file, as a clause; "" where all are.

    `photographs` are those that can be read, `layers` those that a file of a whole model should have.
    """
    technique = row["technique"]
    if technique in OF_WHOLE_MODELS:
        return _clause("layer", set(layers), names_in(path, technique))
    chosen = _chosen(settings, technique, photographs)
    if technique in (*FROM_NOISE, *OF_CHANNELS):
        starts = [photograph.key for photograph in chosen] if technique in OF_CHANNELS else []
        return _missing_channels(path, parse_channels(row["channels"]), starts, settings, technique)
    if technique == "classes":
        wanted = (row["last"] - row["first"] + 1) * len(settings.classes.regularisation)
        found = len(names_in(path, technique))
        return f"has {found} pictures of classes, not {wanted}" if found < wanted else ""
    keys = {photograph.key for photograph in chosen[row["first"] : row["last"] + 1]}
    left_out = len(store.read_about(path).problem) if technique == "activations" else 0
    found = set(names_in(path, technique))
    return _clause("photograph", keys, found) if len(keys - found) > left_out else ""


def _chosen(settings: Settings, technique: str, photographs: Sequence[Photograph]) -> Sequence[Photograph]:
    """The photographs that the shards of a technique count."""
    if technique not in ON_CHOSEN_IMAGES:
        return photographs
    ids = set(getattr(settings, technique).images)
    return [photograph for photograph in photographs if photograph.id in ids]


def _missing_channels(
    path: Path, channels: Sequence[int], starts: Sequence[str], settings: Settings, technique: str
) -> str:
    held = {start: store.read_reached(path, start)[0] for start in names_in(path, "pictures")}
    many = len(starts) or getattr(settings, technique).recipe.variants
    if len(held) < many or set(starts) - set(held):
        return _clause("start", set(starts), set(held)) or f"has {len(held)} pictures of a channel, not {many}"
    clauses = (_clause("channel", set(channels), set(map(int, found))) for found in held.values())
    return next(filter(None, clauses), "")


def _clause(what: str, wanted: set, found: Iterable) -> str:
    gone = sorted(wanted - set(found))
    if not gone:
        return ""
    more = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
    return f"lacks {what} {', '.join(map(str, gone[:MOST_NAMED]))}{more}"
