"""The layers of a model as its census tells them. No torch here."""

import dataclasses
from pathlib import Path

import pandas as pd

from konvolut.errors import UserError, nearest


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """One row of the census as the techniques need it; sizes of the feature map in cells, fields in pixels."""

    name: str
    layout: str
    channels: int
    height: int
    width: int
    stride: int
    receptive_field_px: int
    receptive_field_start_px: int


def read_census(path: Path) -> pd.DataFrame:
    """The census of a model as inspect wrote it, one row per layer; empty cells are ""."""
    text = dict.fromkeys(("layer", "kind", "stage", "layout", "activation", "same_as", "refused"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False)


def layer_spec(census: Path, layer: str) -> LayerSpec:
    """The row of `layer`; raises UserError for a layer that is not there or has no units."""
    rows = read_census(census).set_index("layer")
    if layer not in rows.index:
        raise UserError(f"{census} has no layer {layer!r}{nearest(layer, rows.index)}")
    row = rows.loc[layer]
    if row["refused"]:
        raise UserError(f"layer {layer!r} has no units: {row['refused']}")
    numbers = {field.name: int(row[field.name]) for field in dataclasses.fields(LayerSpec) if field.type is int}
    return LayerSpec(name=layer, layout=row["layout"], **numbers)


def last_layer(census: Path) -> LayerSpec:
    """The last layer with units: what a whole forward pass reaches."""
    rows = read_census(census)
    return layer_spec(census, rows[rows["refused"] == ""]["layer"].iloc[-1])


def of_auto(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a census that `layers: auto` means, but for those that are refused."""
    return rows[(rows["refused"] == "") & (rows["auto"].astype(str).str.lower() == "true")]
