"""What objectives and `accentuation.near` name in a model: layers, channels, cells, by its census. No torch here."""

from collections.abc import Iterable, Mapping

import pandas as pd

from konvolut.asked.settings import WITH_RECIPE, Settings
from konvolut.asked.terms import Term, parse
from konvolut.errors import UserError, nearest


def check_aims(settings: Settings, model: str, census: pd.DataFrame, rows: Iterable[Mapping]) -> None:
    """Raise UserError for what pictures of model `model` are to look at and cannot; `rows` are its jobs in the plan."""
    layers = census.set_index("layer")
    planned = dict.fromkeys((row["technique"], row["layer"]) for row in rows if row["technique"] in WITH_RECIPE)
    for section, own in planned:
        if section == "accentuation" and settings.accentuation.near:
            _layer(layers, settings.accentuation.near, f"accentuation: near: model {model!r}")
        for text, _ in (
            getattr(settings, section).recipe.objective if own else ()
        ):  # classes have no layer: theirs is last
            term, where = parse(text), f"{section}: objective: {text!r}: model {model!r}"
            _check_inside(term, _layer(layers, term.layer or own, where), where)


def _layer(layers: pd.DataFrame, name: str, where: str) -> pd.Series:
    if name not in layers.index:
        raise UserError(f"{where} has no layer {name!r}{nearest(name, layers.index)}")
    if layers.at[name, "refused"]:
        raise UserError(f"{where}: layer {name!r} has no units: {layers.at[name, 'refused']}")
    return layers.loc[name]


def _check_inside(term: Term, layer: pd.Series, where: str) -> None:
    channels, height, width = (int(layer[name]) for name in ("channels", "height", "width"))
    if term.channel is not None and term.channel >= channels:
        raise UserError(
            f"{where}: channel {term.channel} of {layer.name!r} is out of range, possible: 0 to {channels - 1}"
        )
    if term.cell and not (term.cell[0] < height and term.cell[1] < width):
        raise UserError(f"{where}: {layer.name!r} has cells [0,0] to [{height - 1},{width - 1}], not {list(term.cell)}")
