"""Which layers and channels the words of a configuration mean, and channels as text. Pure; no torch here."""

import random
from collections.abc import Mapping
from fnmatch import fnmatchcase

import pandas as pd

from konvolut.asked.censuses import of_auto
from konvolut.asked.settings import Channels
from konvolut.errors import UserError, nearest

# Before a glob over the kinds of the census, the classes of modules. No module's own name: attributes have no colons.
KIND = "kind:"


def resolve_layers(globs: tuple[str, ...], census: pd.DataFrame, section: str, model: str) -> list[str]:
    """Names of the layers that the globs mean, in the order of the network; "auto", "all" and "kind:" are no names."""
    wanted = set()
    for glob in globs:
        found = meant_by(glob, census)
        if not len(found):
            _refuse_glob(glob, census, section, model)
        wanted.update(found)
    return [name for name in census["layer"] if name in wanted]


def meant_by(glob: str, census: pd.DataFrame) -> pd.Series:
    """Names of the layers with units that one glob means; there may be none."""
    possible = census[census["refused"] == ""]
    if glob == "auto":
        return of_auto(possible)["layer"]
    if glob == "all":
        return possible[possible["same_as"] == ""]["layer"]
    if glob.startswith(KIND):
        return _of_kind(possible, glob.removeprefix(KIND))["layer"]
    return possible[_matches(possible["layer"], glob)]["layer"]


def for_model(globs: tuple[str, ...], key: str, censuses: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """The globs without those that mean layers of other models alone: architectures name theirs differently.

    A glob that means nothing in any of the `censuses` (by the models' keys) stays, to be refused.
    """

    def is_for_others(glob: str) -> bool:
        others = (census for other, census in censuses.items() if other != key)
        return not len(meant_by(glob, censuses[key])) and any(len(meant_by(glob, census)) for census in others)

    return tuple(glob for glob in globs if not is_for_others(glob))


def _of_kind(possible: pd.DataFrame, glob: str) -> pd.DataFrame:
    """Rows of the kinds that a glob names; of those with the same tensor one, where it can be the one that stands for
    all. A convolution stays where its block stands for it, as blocks are of another kind."""
    rows = possible[_matches(possible["kind"], glob)]
    tensor = rows["same_as"].where(rows["same_as"] != "", rows["layer"])
    return rows.assign(tensor=tensor).sort_values("same_as", kind="stable").drop_duplicates("tensor")


def _matches(names: pd.Series, glob: str) -> pd.Series:
    """For each name whether a glob names it."""
    return names.map(lambda name: fnmatchcase(name, glob)).astype(bool)


def _refuse_glob(glob: str, census: pd.DataFrame, section: str, model: str) -> None:
    names = KIND + census["kind"] if glob.startswith(KIND) else census["layer"]
    refused = census[(census["refused"] != "") & _matches(names, glob)]
    if len(refused):
        layer, reason = refused.iloc[0][["layer", "refused"]]
        raise UserError(f"{section}: layer {layer!r} of model {model!r} has no units: {reason}")
    raise UserError(
        f"{section}: layers: {glob!r} matches no layer of model {model!r}"
        f" (its {len(census)} layers and their kinds are in layers.csv){nearest(glob, dict.fromkeys(names))}"
    )


def resolve_channels(selector: Channels, count: int, seed: int, where: str) -> list[int]:
    """Channel numbers in 0..count-1, ascending; `random:N` draws without replacement by `seed`."""
    if selector.kind == "all":
        return list(range(count))
    if selector.kind == "first":
        return list(range(min(selector.count, count)))
    if selector.kind == "random":
        return sorted(random.Random(seed).sample(range(count), min(selector.count, count)))
    beyond = [number for number in selector.numbers if number >= count]
    if beyond:
        raise UserError(f"{where}: channel {beyond[0]} is out of range, possible are 0 to {count - 1}")
    return sorted(set(selector.numbers))


def format_channels(channels: list[int]) -> str:
    """Numbers as ranges: [0, 1, 2, 5] -> "0-2,5"."""
    parts: list[list[int]] = []
    for number in channels:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def parse_channels(text: str) -> tuple[int, ...]:
    """What format_channels wrote."""
    bounds = [part.split("-") for part in text.split(",") if part]
    return tuple(number for part in bounds for number in range(int(part[0]), int(part[-1]) + 1))
