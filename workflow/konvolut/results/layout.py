"""What each dataset means, in the words of the drawing at the top of store.py: attributes for h5dump and h5py."""

import ast
import functools
import re
from pathlib import Path

KIND = re.compile(r"kind = (\w+)")
BRANCH = re.compile(r"^(?P<before>[\s│]*)[├└]── (?P<names>\S+(?:, \S+)*?)(?:\s{2,}|\s(?=[(\[])|$)(?P<text>.*)$")
GOES_ON = re.compile(r"^[\s│]{24,}(?P<text>\S.*)$")
SHAPE = re.compile(
    r"^(?P<shape>\([^()]*\)\s*(?:and so on: )?)?(?P<type>(?:(?:u?int\d+|float\d*|str|bool|int)(?: \| |, )?)+)?,?\s*"
)
# What numbers count, by the dataset's name; all others have no unit.
ACTIVATION = "activation, as the layer puts it out"
UNITS = {
    **dict.fromkeys(("maps", "max", "mean", "std", "value", "quantiles", "quantile_value", "edges"), ACTIVATION),
    **dict.fromkeys(("low", "high", "activation", "twin_reached", "twin_best", "rectified"), ACTIVATION),
    **dict.fromkeys(("crop", "box", "quantile_box"), "fraction of the photograph's side"),
    **dict.fromkeys(("cell", "quantile_cell"), "cells of the feature map"),
    **dict.fromkeys(("histogram", "count", "positive", "photographs"), "photographs"),
    **dict.fromkeys(("picture", "intermediate", "input"), "sRGB, 0 to 255"),
    **dict.fromkeys(("step", "steps"), "optimiser steps"),
    **dict.fromkeys(("side", "corner", "effective_px"), "pixels"),
    "twin_deviations": "standard deviations over the photographs",
}
OF_KIND = {("priors", "mean"): "colour, 0 to 1"}  # where a name counts something else
NO_UNIT = "1"
# Branches of the drawing that start further right lie in a group; its last part alone is looked up.
ROOT_INDENT, NESTED = 4, "*/"


def attributes(kind: str, place: str) -> dict[str, str]:
    """The description and the units of the dataset at `place` of a file: the drawing's words, else its own name."""
    group, _, name = place.rpartition("/")
    drawn = drawing().get(kind, {})
    parent = group.rpartition("/")[2]
    tries = (place, f"{parent}/", f"{NESTED}{name}") if group else (name,)
    text = next((drawn[one] for one in tries if drawn.get(one)), name.replace("_", " "))
    return {"description": text, "units": OF_KIND.get((kind, name), UNITS.get(name, NO_UNIT))}


@functools.cache
def drawing() -> dict[str, dict[str, str]]:
    """Kind of file -> dataset -> what the drawing says of it."""
    found: dict[str, dict[str, str]] = {}
    kinds: list[str] = []
    names: list[str] = []
    fresh = True  # kinds drawn together stand in lines without a branch between them
    for line in _docstring().splitlines():
        if kind := KIND.search(line):
            kinds = [kind[1]] if not fresh or not kinds else [*kinds, kind[1]]
            fresh, names = True, []
        elif branch := BRANCH.match(line):
            nested = NESTED if len(branch["before"]) > ROOT_INDENT else ""
            fresh, names = False, [nested + name for name in branch["names"].split(", ")]
            names = [name.removeprefix(NESTED) if name.endswith("/") else name for name in names]
            _note(found, kinds, names, branch["text"])
        elif (more := GOES_ON.match(line)) and names:
            _note(found, kinds, names, more["text"])
    return found


def _note(found: dict, kinds: list[str], names: list[str], text: str) -> None:
    for kind in kinds:
        for name in names:
            before = found.setdefault(kind, {}).get(name, "")
            found[kind][name] = f"{before} {text}".strip() if before else SHAPE.sub("", text.strip(), count=1).strip()


def _docstring() -> str:
    return ast.get_docstring(ast.parse(Path(__file__).with_name("store.py").read_text(encoding="utf-8")), clean=False)
