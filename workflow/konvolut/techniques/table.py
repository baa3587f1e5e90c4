"""The table of a model's units: one CSV with a row per unit and all that is known of it. No torch here."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from konvolut.asked import terms
from konvolut.asked.censuses import read_census
from konvolut.pictures import health
from konvolut.results import store
from konvolut.results.columns import COLUMNS, QUANTILES
from konvolut.results.evidence import Alike, Trust

START = "noise"
DIGITS = "%.6g"  # float32 holds no more


def write(
    census: Path, examples: Path, alike: Path | None, trust: Path | None, channels: Sequence[Path], output: Path
) -> None:
    """Write units.csv of a model, layers in the order of the network; what was not computed is empty."""
    found = store.read_examples(examples)
    judged = store.read_named(trust, Trust) if trust else {}
    names = [name for name in read_census(Path(census))["layer"] if name in found.layers]
    tables = []
    for layer in names:
        columns = _natural(found, layer) | (_alike(alike, layer) if alike else {})
        columns |= _pictured(channels, layer, found.layers[layer], judged.get(layer))
        tables.append(pd.DataFrame(columns).reindex(columns=list(COLUMNS)))
    pd.concat(tables).to_csv(output, index=False, lineterminator="\n", float_format=DIGITS)


def _natural(found: store.Examples, layer: str) -> dict[str, object]:
    content = found.layers[layer]
    units = range(len(content.mean))
    numbers = {name: getattr(content, name) for name in ("mean", "std", "max", "active", "selectivity")}
    classes = [found.classes[number] if number >= 0 else "" for number in content.class_index[:, 0]]
    return {
        "layer": layer,
        "channel": units,
        "photographs": found.photographs,
        **numbers,
        **dict(zip(QUANTILES, content.quantiles.T, strict=True)),
        "dead": content.dead.astype(int),
        "class": classes,
        "class_share": np.where(content.class_index[:, 0] >= 0, content.class_share[:, 0], np.nan),
        "best": [found.image[row] for row in content.image[:, 0]],
        "best_value": content.value[:, 0],
    }


def _alike(path: Path, layer: str) -> dict[str, object]:
    places, relations = store.read_alike(path, layer)
    columns = {}
    names = list(places)
    for relation in ("inside", "across"):
        if relation in relations:
            columns |= _nearest(relation, relations[relation], [place for _, place in names])
    twins = [found for relation, found in relations.items() if relation not in ("inside", "across")]
    if twins:
        columns |= _nearest("twin", _best_of(twins), [" ".join(name) for name in names])
    return columns


def _nearest(name: str, found: Alike, places: Sequence[str]) -> dict[str, object]:
    if not found.place.shape[1]:
        return {}
    pairs = zip(found.place[:, 0], found.unit[:, 0], strict=True)
    units = [f"{places[place]}:{unit}" if place >= 0 else "" for place, unit in pairs]
    return {name: units, f"{name}_correlation": found.correlation[:, 0]}


def _best_of(twins: Sequence[Alike]) -> Alike:
    """The most alike unit over several models."""
    correlation = np.stack([np.nan_to_num(one.correlation[:, 0], nan=-np.inf) for one in twins])
    best = correlation.argmax(0)[None]
    columns = {
        name: np.take_along_axis(np.stack([getattr(one, name)[:, 0] for one in twins]), best, 0).T
        for name in ("place", "unit", "correlation")
    }
    return Alike(**columns, chance=0.0)


def _pictured(
    paths: Sequence[Path], layer: str, natural: store.LayerExamples, trust: Trust | None
) -> dict[str, np.ndarray]:
    columns = {name: np.full(len(natural.mean), np.nan) for name in COLUMNS if name.startswith("picture")}
    columns["picture_verdict"] = np.full(len(natural.mean), "", object)
    for path in paths:
        if Path(path).parent.name == layer:
            channel, activation, curve = store.read_reached(path, START)
            columns["picture_max"][channel], columns["picture_held_out"][channel] = activation[:, 1], activation[:, 3]
            columns["picture_verdict"][channel] = _verdicts(path, channel, activation[:, 1], curve, natural)
    columns["picture_above"] = _shares_below(natural, columns["picture_max"])
    columns["picture_deviations"] = health.deviations(columns["picture_max"], natural.mean, natural.std)
    if trust is not None:
        columns["picture_path"][trust.channel] = _means(trust.path)
        columns["picture_twins"][trust.channel] = _means(trust.twin_deviations)
    return columns


def _verdicts(
    path: Path, channel: np.ndarray, reached: np.ndarray, curve: np.ndarray, natural: store.LayerExamples
) -> list[str]:
    """Names of the verdicts (n,) on the pictures of a file, from their maxima (n,) and curves (n, steps + 1)."""
    silences = terms.silences(store.read_passport(path).get("recipe", {}).get("objective", ()))
    least = natural.edges[channel, 0] if silences else None
    return [health.NAMES[letter] for letter in health.verdicts(curve, reached, natural.max[channel], least)]


def _shares_below(natural: store.LayerExamples, reached: np.ndarray) -> np.ndarray:
    """Shares (C,) of photographs below maxima (C,), evenly within a bin; not a number where there is no maximum."""
    shares = np.full(len(reached), np.nan)
    for unit in np.flatnonzero(np.isfinite(reached)):
        below = np.concatenate([[0], natural.histogram[unit].cumsum()])
        shares[unit] = np.interp(reached[unit], natural.edges[unit], below / below[-1])
    return shares


def _means(values: np.ndarray) -> np.ndarray:
    """Means (n,) of rows without what is not a number."""
    known = np.isfinite(values)
    count = known.sum(1)
    return np.divide(np.where(known, values, 0).sum(1), count, out=np.full(len(values), np.nan), where=count > 0)
