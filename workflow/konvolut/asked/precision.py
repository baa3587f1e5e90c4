"""What the rule precision found out about a model on this device, and recipes that take it into account. No torch here.

results/{model}/precision.csv, a row per layer, precision and batch:

    layer device precision batch px    what was measured, px the side of the (model's own) input
    milliseconds                       per picture and step: forward to the layer and back to the input
    agreement                          cosine of the input's gradient and float32's, the least over pictures
    problem                            why it could not be measured, ""
    gain                               float32's time over bfloat16's, all layers together, in batches measured in both
    chosen reason                      the rows that are taken, and why (without figures: it goes into passports)
"""

import dataclasses
from pathlib import Path

import pandas as pd

from konvolut.asked.censuses import read_census
from konvolut.asked.costs import ROUNDING, passes_of
from konvolut.asked.loads import most_at_once, shown
from konvolut.asked.recipes import AUTO
from konvolut.errors import UserError, nearest

PRECISIONS = ("float32", "bfloat16")
COLUMNS = (
    *("layer", "device", "precision", "batch", "px", "milliseconds", "agreement", "problem"),
    *("gain", "chosen", "reason"),
)
# A batch must be so many times as fast as a smaller one: it takes more memory, and a killed job loses more of it.
LEAST_BATCH_GAIN = 1.03
# Small pictures fill a GPU in batches that grow as they shrink, up to so many.
MOST_ON_GPU = 512


def read_precisions(path: Path) -> pd.DataFrame:
    """The table as the rule precision wrote it."""
    text = dict.fromkeys(("layer", "device", "precision", "problem", "reason"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"milliseconds": [""]})


def settled(shard, table: list[str], census: Path):
    """The shard with a precision and a batch in its recipe: what the table (a list of its path, or none) says in place
    of auto; `census` is the layers.csv of the same model.

    The reason for the precision goes with it into the passport. Without a table auto is float32 in batches of 8.
    """
    asked = shard.recipe.precision
    if asked != AUTO:
        shard = dataclasses.replace(shard, why=f"{asked}: asked for")
    if not table:
        return shard
    measured, recipe = read_precisions(Path(table[0])), shard.recipe
    if asked == AUTO:
        chosen = measured.query("chosen").iloc[0]
        recipe = dataclasses.replace(recipe, precision=chosen["precision"])
        shard = dataclasses.replace(shard, why=chosen["reason"])
    if recipe.units_per_batch == AUTO:
        recipe = dataclasses.replace(recipe, units_per_batch=batch_of(shard, recipe, measured, Path(census)))
    return dataclasses.replace(shard, recipe=recipe)


def batch_of(shard, recipe, measured: pd.DataFrame, census: Path) -> int:
    """How many of a shard's pictures to make at once: as many as show the model what the best batch of its own inputs
    does, at the measured layer nearest by FLOPs; on a CPU no more than the plan counts with."""
    passes = passes_of(read_census(census))
    if (layer := getattr(shard, "layer", "")) not in passes:
        raise UserError(f"{census} has no layer {layer!r}{nearest(layer, passes)}")
    one = passes[layer]
    rows = measured[measured["precision"] == recipe.precision]
    alike = min(rows["layer"].unique(), key=lambda layer: abs(passes[layer].gflop - one.gflop))
    view = shown(recipe, one, getattr(shard, "longest_side_px", None))
    wanted = max(int(best_batch(rows[rows["layer"] == alike]) / view + ROUNDING), 1)
    is_gpu = rows["device"].iloc[0] == "cuda"
    return min(wanted, MOST_ON_GPU if is_gpu else most_at_once(one, view))


def best_batch(rows: pd.DataFrame) -> int:
    """Of a layer's measurements in one precision the batch that no larger one is clearly faster than."""
    taken = None
    for row in rows.dropna(subset="milliseconds").sort_values("batch").itertuples():
        if taken is None or taken.milliseconds >= LEAST_BATCH_GAIN * row.milliseconds:
            taken = row
    return int(taken.batch) if taken else int(rows["batch"].min())
