"""Terms of an objective as users write them: a word, whose channel, which cell, of which layer. No torch here.

mean  peaks  negative  neuron     of the unit's own channel
mean:7  neuron:7                  of channel 7 of the unit's layer
neuron[3,5]  neuron:7[3,5]        the cell in row 3, column 5 instead of the one in the centre
layer  norm  similarity           of all channels
mean:7@blocks.2  layer@blocks.2   of another layer than the unit's
"""

import dataclasses
import re

COMPARING = ("distance", "caricature")  # with a photograph
OF_A_CHANNEL, OF_A_LAYER = ("mean", "peaks", "negative", "neuron"), ("layer", "norm", "similarity", *COMPARING)
NUMBER, CELL, ELSEWHERE = r"(?::\d{1,7})?", r"\[\d{1,4},\d{1,4}\]", r"(?:@\S+)?"
# The whole grammar, for the settings and for their schema.
PATTERN = rf"^(?:(?:{'|'.join(OF_A_CHANNEL)}){NUMBER}|neuron{NUMBER}{CELL}|{'|'.join(OF_A_LAYER)}){ELSEWHERE}$"
PARTS = re.compile(r"(?P<name>[a-z]+)(?::(?P<channel>\d+))?(?:\[(?P<row>\d+),(?P<column>\d+)\])?(?:@(?P<layer>\S+))?")

Objective = tuple[tuple[str, float], ...]  # terms and their weights


@dataclasses.dataclass(frozen=True)
class Term:
    """One summand; `channel` None is the unit's own, `cell` None the centre, `layer` "" the unit's own."""

    name: str
    channel: int | None = None
    cell: tuple[int, int] | None = None
    layer: str = ""


def parse(text: str) -> Term:
    """What a text that fits PATTERN means."""
    parts = PARTS.fullmatch(text).groupdict()
    channel = None if parts["channel"] is None else int(parts["channel"])
    cell = None if parts["row"] is None else (int(parts["row"]), int(parts["column"]))
    return Term(parts["name"], channel, cell, parts["layer"] or "")


def silences(objective: Objective) -> bool:
    """Whether an objective is to be raised by exciting a unit less: `negative`, or its mean taken off."""
    own = [(term.name == "negative") == (weight > 0) for term, weight in _of_own_channel(objective) if weight]
    return bool(own) and all(own)


def _of_own_channel(objective: Objective) -> list[tuple[Term, float]]:
    terms = [(parse(text), weight) for text, weight in objective]
    return [
        (one, weight) for one, weight in terms if one.name in OF_A_CHANNEL and one.channel is None and not one.layer
    ]


def linear_layers(objective: Objective, own_layer: str) -> tuple[str, ...]:
    """The layers that an objective wants to see before their activation."""
    return tuple({term.layer or own_layer for term in map(parse, dict(objective)) if term.name == "negative"})


def compares(objective: Objective) -> bool:
    """Whether an objective compares with a photograph."""
    return any(parse(term).name in COMPARING for term, _ in objective)


def layers_of(objective: Objective) -> tuple[str, ...]:
    """The layers that an objective names beside the unit's own."""
    return tuple(dict.fromkeys(term.layer for term in map(parse, dict(objective)) if term.layer))
