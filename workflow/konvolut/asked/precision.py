"""What the rule precision found out about a model on this device, and recipes that take it into account. No torch here.

results/{model}/precision.csv, a row per layer, precision and batch:

    layer device precision batch px    what was measured, px the side of the (model's own) input
    milliseconds                       per picture and step: forward to the layer and back to the input
    agreement                          cosine of the input's gradient and float32's, the least over pictures
    problem                            why it could not be measured, ""
    gain                               float32's time over bfloat16's, all layers together
    chosen reason                      the rows that are taken, and why (without figures: it goes into passports)
"""

import dataclasses
from pathlib import Path

import pandas as pd

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16")
COLUMNS = (
    *("layer", "device", "precision", "batch", "px", "milliseconds", "agreement", "problem"),
    *("gain", "chosen", "reason"),
)


def read_precisions(path: Path) -> pd.DataFrame:
    """The table as the rule precision wrote it."""
    text = dict.fromkeys(("layer", "device", "precision", "problem", "reason"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"milliseconds": [""]})


def settled(shard, table: list[str]):
    """The shard with a precision in its recipe: what the table (a list of its path, or none) says in place of auto.

    The reason goes with it into the passport. Without a table auto is float32.
    """
    if shard.recipe.precision != AUTO:
        return dataclasses.replace(shard, why=f"{shard.recipe.precision}: asked for")
    if not table:
        return shard
    chosen = read_precisions(Path(table[0])).query("chosen").iloc[0]
    recipe = dataclasses.replace(shard.recipe, precision=chosen["precision"])
    return dataclasses.replace(shard, recipe=recipe, why=chosen["reason"])
