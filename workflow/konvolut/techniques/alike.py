"""Look-alikes: units whose maxima rise and fall over the same photographs, in a layer, across layers, across models.

The measure is Pearson's correlation of pooled activations over the photographs; between models it pairs units as Li et
al., "Convergent learning" (2015), do. It is computed in blocks of units, so that memory holds two blocks of columns and
their product, whatever the number of units.
"""

import math
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from konvolut import provenance
from konvolut.asked.reductions import ALIKE_BYTES
from konvolut.asked.shards import AlikeShard
from konvolut.errors import UserError
from konvolut.results import store
from konvolut.results.evidence import Alike
from konvolut.results.part import Part, digest_of

# Bytes of the columns that are compared with all others at once, and of those that pass by: the first decides how often
# everything is read, the second what a product takes.
OWN_BYTES, PASSING_BYTES = ALIKE_BYTES, 2**28
ROWS_AT_ONCE = 1024  # of squares summed in float32 before float64 takes over: they stay within a core's cache
NOBODY = -1
LAYER, LAYERS = "inside", "across"  # relations beside those to other models


@dataclass(frozen=True)
class Columns:
    """Some units of one layer of one model; `place` counts layers over all models."""

    model: str
    layer: str
    place: int
    units: slice

    @property
    def count(self) -> int:
        return self.units.stop - self.units.start

    def step(self, relation: str) -> str:
        """The name of what is found of these units in one relation."""
        return f"{self.layer} {self.units.start} {relation.replace('/', ' ')}"


class Nearest:
    """The most alike so far of each of some units, most alike first; of equals the one that came first."""

    def __init__(self, units: int, keep: int) -> None:
        self.keep = keep
        self.place = np.full((units, 0), NOBODY, np.int32)
        self.unit, self.correlation = self.place.copy(), np.zeros((units, 0), np.float32)
        self.candidates = 0

    def add(self, correlation: np.ndarray, place: int, first: int) -> None:
        """Take in the correlations (units, n) with the units from `first` on of a place; -inf counts as nobody."""
        kept = _largest(correlation, self.keep)
        values = np.concatenate([self.correlation, np.take_along_axis(correlation, kept, 1)], 1)
        places = np.concatenate([self.place, np.full(kept.shape, place, np.int32)], 1)
        units = np.concatenate([self.unit, (kept + first).astype(np.int32)], 1)
        order = np.argsort(-values, axis=1, kind="stable")[:, : self.keep]
        self.correlation, self.place, self.unit = (np.take_along_axis(c, order, 1) for c in (values, places, units))
        self.candidates += correlation.shape[1]

    def alike(self, photographs: int) -> Alike:
        """What was found, NOBODY where there is none."""
        none = ~np.isfinite(self.correlation)
        place, unit = (np.where(none, NOBODY, column).astype(np.int32) for column in (self.place, self.unit))
        found = np.where(none, np.nan, self.correlation).astype(np.float32)
        return Alike(place, unit, found, chance(self.candidates, photographs))


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Columns (rows, count) of the largest of each row, ascending; of equals the first ones."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    least = np.partition(values, -count, axis=1)[:, -count, None]
    above = values > least
    equal = values == least
    equal &= equal.cumsum(1, dtype=np.int32) <= count - above.sum(1, keepdims=True)
    return np.nonzero(above | equal)[1].reshape(len(values), count)


def find(
    shard: AlikeShard, own: str, files: Mapping[str, Sequence[Path]], output: Path, progress: Callable[[int, int], None]
) -> None:
    """Write the look-alikes of all units of model `own`; `files` has the activation files of each model, in order.

    What is known after each group of columns outlives the death of the job.
    """
    photographs = _photographs(files)
    places = [(model, layer) for model in sorted(files) for layer in store.layers_of(files[model][0])]
    counts = {place: store.units_of(files[place[0]][0], place[1]) for place in places}
    own_columns = list(_blocks(places, counts, PASSING_BYTES // (4 * photographs), [own]))
    everything = list(_blocks(places, counts, PASSING_BYTES // (4 * photographs), sorted(files)))
    steps = {
        mine.step(relation): (mine.layer, relation)
        for mine in own_columns
        for relation in dict.fromkeys(_relation(mine, other) for other in everything)
    }
    passport = store.read_passport(files[own][0])
    facts = {name: passport[name] for name in ("model", "weights_sha256", "data")}
    code = provenance.code_digest("techniques.alike")
    passport = provenance.passport(technique="alike", code=code, pooled=shard.pooled, **facts)
    inputs = digest_of(shard, [path for paths in files.values() for path in paths])
    known = Part(output, "alike", passport | {"of": inputs}, list(steps), progress)
    for group in _groups(own_columns, OWN_BYTES // (4 * photographs)):
        if any(mine.step(LAYER) not in known.units for mine in group):
            found = zip(group, _nearest(files, group, everything, shard), strict=True)
            known.keep(
                {
                    mine.step(relation): one.alike(photographs)
                    for mine, nearest in found
                    for relation, one in nearest.items()
                }
            )
    layers: dict[str, dict[str, list[Alike]]] = {}
    for step, (layer, relation) in steps.items():
        layers.setdefault(layer, {}).setdefault(relation, []).append(known.units[step])
    stacked = {
        layer: {relation: _stacked(parts) for relation, parts in of_layer.items()} for layer, of_layer in layers.items()
    }
    store.write_alike(Path(output), counts, stacked, passport | {"photographs": photographs})
    shutil.rmtree(known.folder, ignore_errors=True)
    progress(len(steps), len(steps))


def _nearest(files: Mapping, group: Sequence[Columns], everything: Sequence[Columns], shard: AlikeShard) -> list[dict]:
    """For each of the columns of a group, relation -> Nearest, from one walk over everything."""
    block = _block(files, group, shard.pooled)
    ends = np.cumsum([mine.count for mine in group])
    nearest: list[dict[str, Nearest]] = [{} for _ in group]
    for other in everything:
        passing = standardised(_read(files, other, shard.pooled))
        product = block.T @ passing
        constant = ~passing.any(0)
        for mine, end, found in zip(group, ends, nearest, strict=True):
            part = product[end - mine.count : end]
            _leave_out(part, ~block[:, end - mine.count : end].any(0), constant, mine, other)
            kept = found.setdefault(_relation(mine, other), Nearest(mine.count, shard.keep))
            kept.add(part, other.place, other.units.start)
    return nearest


def _block(files: Mapping, group: Sequence[Columns], pooled: str) -> np.ndarray:
    """The standardised columns of a group side by side."""
    block, first = np.zeros((0, 0), np.float32), 0
    for mine in group:
        columns = standardised(_read(files, mine, pooled))
        if not first:
            block = np.empty((len(columns), sum(one.count for one in group)), np.float32)
        block[:, first : first + mine.count] = columns
        first += mine.count
    return block


def standardised(pooled: np.ndarray) -> np.ndarray:
    """Columns (n, units) float32 of mean 0 and length 1, so that products are correlations; constant ones are 0."""
    parts = [slice(first, first + ROWS_AT_ONCE) for first in range(0, len(pooled), ROWS_AT_ONCE)]
    centred = pooled - (sum(pooled[part].sum(0, dtype=np.float64) for part in parts) / len(pooled)).astype(np.float32)
    squares = sum(np.einsum("nu,nu->u", centred[part], centred[part]).astype(np.float64) for part in parts)
    # The mean of equal float32 numbers is exact in float64, so that a constant column is 0 throughout.
    varies = (squares > 0) & np.isfinite(squares)
    centred *= np.where(varies, 1 / np.sqrt(np.where(varies, squares, 1)), 0).astype(np.float32)
    centred[:, ~varies] = 0
    return centred


def chance(candidates: int, photographs: int) -> float:
    """The correlation that the best of so many unrelated units reaches: Fisher's z of a share of 1 / candidates."""
    if photographs <= 3 or candidates < 2:
        return 1.0
    return math.tanh(statistics.NormalDist().inv_cdf(1 - 1 / candidates) / math.sqrt(photographs - 3))


def _leave_out(
    correlation: np.ndarray, own_constant: np.ndarray, constant: np.ndarray, mine: Columns, other: Columns
) -> None:
    """-inf for a unit with itself, and where either of both is constant."""
    correlation[own_constant] = -np.inf
    correlation[:, constant] = -np.inf
    if mine.place == other.place:
        same = np.arange(max(mine.units.start, other.units.start), min(mine.units.stop, other.units.stop))
        correlation[same - mine.units.start, same - other.units.start] = -np.inf


def _relation(mine: Columns, other: Columns) -> str:
    if mine.model != other.model:
        return f"twins/{other.model}"
    return LAYER if mine.layer == other.layer else LAYERS


def _blocks(places: Sequence, counts: Mapping, size: int, models: Sequence[str]) -> Iterator[Columns]:
    for place, (model, layer) in enumerate(places):
        if model in models:
            for first in range(0, counts[model, layer], max(1, size)):
                units = slice(first, min(first + max(1, size), counts[model, layer]))
                yield Columns(model, layer, place, units)


def _groups(columns: Sequence[Columns], size: int) -> Iterator[list[Columns]]:
    """Columns in groups of at most `size` units, if not of one."""
    group: list[Columns] = []
    for one in columns:
        if group and sum(mine.count for mine in group) + one.count > size:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _read(files: Mapping[str, Sequence[Path]], columns: Columns, pooled: str) -> np.ndarray:
    parts = [store.read_pooled(path, columns.layer, pooled, columns.units) for path in files[columns.model]]
    return np.concatenate(parts)


def _photographs(files: Mapping[str, Sequence[Path]]) -> int:
    """How many photographs there are; all models must have seen the same ones."""
    seen = {model: [key for path in paths for key in store.read_about(path).image] for model, paths in files.items()}
    first = next(iter(seen))
    for model, keys in seen.items():
        if keys != seen[first]:
            raise UserError(f"alike: the models {first!r} and {model!r} did not see the same photographs")
    return len(seen[first])


def _stacked(parts: Sequence[Alike]) -> Alike:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("place", "unit", "correlation")
    }
    return Alike(**columns, chance=parts[0].chance)
