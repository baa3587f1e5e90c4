"""Trust: does a synthetic picture tell the truth about its unit? Two answers beside its health, by photographs.

path   how alike the picture and the unit's best photographs are in the layers below. Geirhos et al., "Don't trust your
       eyes: on the (un)reliability of feature visualizations" (2023), found pictures that take another way through the
       network than photographs do. Similarity is Pearson's correlation of a layer's maxima, each in standard deviations
       of its unit over all photographs; it is scaled so that 1 is how alike the best photographs are to each other and
       0 how alike they are to any photographs.
twins  whether the picture also excites the units that are most alike over photographs: in the layer, in other layers,
       in other models.
"""

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec, layer_spec, read_census
from konvolut.asked.shards import TrustShard, to_json
from konvolut.network import memory, models
from konvolut.network.photographs import as_inputs
from konvolut.network.record import record
from konvolut.network.shapes import takes
from konvolut.pictures import images
from konvolut.results import store
from konvolut.results.evidence import Trust
from konvolut.results.part import Part
from konvolut.techniques.activations import summarise

START = "noise"
BATCH = 8  # pictures in one forward pass
OTHERS = 16  # photographs that stand for any; the mean of 9 x 16 correlations is known to some hundredths
# Where best photographs are hardly more alike to each other than to any, a share of that difference says nothing.
LEAST_DIFFERENCE = 0.05


@dataclass(frozen=True)
class Files:
    """Where results lie: censuses and examples by model, and the model's own activations, look-alikes and pictures."""

    census: Mapping[str, Path]
    examples: Mapping[str, Path]
    activations: Sequence[Path]
    alike: Path
    channels: Sequence[Path]


def judge(shard: TrustShard, files: Files, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write for each picture of a channel how far it can be trusted; only one layer's are in memory at a time.

    What is known after each network and layer outlives the death of the job.
    """
    own = shard.model.key
    networks = {source.key: source for source in shard.models}
    pictured = _by_layer(files.channels)
    twins = {layer: _Twins(files, own, layer, _channels(paths)) for layer, paths in pictured.items()}
    wanted = {source: {layer: one.layers_of(source) for layer, one in twins.items()} for source in networks}
    asked = [own, *(key for key in networks if key != own and any(wanted[key].values()))]
    steps = {f"{key} {layer}": (key, layer) for key in asked for layer in pictured}

    @functools.lru_cache(maxsize=1)
    def build(key: str) -> models.Network:
        return models.build(networks[key], models.choose_device(shard.device))

    code = provenance.code_digest("techniques.trust")
    passport = provenance.passport(technique="trust", code=code, **build(own).facts())
    known = Part(output, "trust", passport | {"of": _inputs(shard, files)}, list(steps), progress)
    for step, (key, layer) in steps.items():
        if step in known.units:
            twins[layer].take(known.units[step])
            continue
        below = _below(files.census[own], layer, shard.layers) if key == own else []
        specs = [layer_spec(files.census[key], name) for name in dict.fromkeys([*below, *wanted[key][layer]])]
        reached = maxima(build(key), specs, _pictures(pictured[layer])) if specs else {}
        twins[layer].note(key, reached)
        if key == own:
            of_below = {name: reached[name] for name in below}
            twins[layer].path = _paths(files, shard, layer, twins[layer].channels, of_below)
        known.keep({step: twins[layer].trust()})
    store.write_named(Path(output), "trust", {layer: one.trust() for layer, one in twins.items()}, passport)
    shutil.rmtree(known.folder, ignore_errors=True)
    progress(len(steps), len(steps))


def _inputs(shard: TrustShard, files: Files) -> str:
    """A digest of what is asked and of all files that the answer rests on, as they are now."""
    one_each = [*files.census.values(), *files.examples.values(), *files.activations, files.alike, *files.channels]
    stats = [(str(path), os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in one_each]
    return hashlib.sha256(json.dumps([to_json(shard), stats]).encode()).hexdigest()


def maxima(network: models.Network, layers: Sequence[LayerSpec], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Layer -> (n, C) maxima over space for pictures (n, H, W, 3) uint8, in a size that the network takes."""
    size = network.data.input_size[1:]
    if not all(takes(network, layer, pictures.shape[1:3]) for layer in layers):
        pictures = np.stack([images.fit(one, size, crop_pct=1.0, crop_mode="squash")[0] for one in pictures])
    found: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    with (
        torch.no_grad(),
        record(network.module, layers, stop=True, keep=lambda shown, _: summarise(shown)) as recording,
    ):

        def pooled(part: np.ndarray, _: int) -> dict:
            return dict(recording.run(network.module, as_inputs(network, part).contiguous()))

        for _, of_batch in memory.Halving(BATCH).over(pictures, pooled):
            for name, summary in of_batch.items():
                found[name].append(summary["max"])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def agreement(synthetic: np.ndarray, natural: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How alike profiles are: (4,) scaled, synthetic with natural, natural with each other, natural with others.

    Profiles are (C,), (k, C) and (m, C), in standard deviations of each unit. Scaled: see the top of this module.
    """
    rows = [_unit_length(part) for part in (synthetic[None], natural, others)]
    own, any_ = float((rows[0] @ rows[1].T).mean()), float((rows[1] @ rows[2].T).mean())
    among = rows[1] @ rows[1].T
    pairs = len(natural) * (len(natural) - 1)
    same = float((among.sum() - np.trace(among)) / pairs) if pairs else np.nan
    scaled = (own - any_) / (same - any_) if same - any_ > LEAST_DIFFERENCE else np.nan
    return np.array([scaled, own, same, any_], np.float32)


class _Twins:
    """The units most alike to the pictured channels of a layer, one of each relation, and what pictures do to them."""

    def __init__(self, files: Files, own: str, layer: str, channels: np.ndarray) -> None:
        self.files, self.channels = files, channels
        places, relations = store.read_alike(files.alike, layer)
        self.places = list(places)
        self.relations = list(relations)
        shape = (len(channels), len(relations))
        self.place, self.unit = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
        self.correlation, self.reached, self.deviations, self.best = (
            np.full(shape, np.nan, np.float32) for _ in range(4)
        )
        self.path: tuple[list[str], np.ndarray] = ([], np.zeros((len(channels), 0, 4), np.float32))
        for column, found in enumerate(relations.values()):
            first = found.correlation[channels, 0] if found.correlation.shape[1] else np.full(len(channels), np.nan)
            known = first > found.chance
            self.place[known, column] = found.place[channels[known], 0]
            self.unit[known, column] = found.unit[channels[known], 0]
            self.correlation[known, column] = first[known]

    def layers_of(self, model: str) -> list[str]:
        """Layers of a model in which there are twins."""
        used = sorted({int(place) for place in self.place[self.place >= 0]})
        return [self.places[place][1] for place in used if self.places[place][0] == model]

    def note(self, model: str, reached: Mapping[str, np.ndarray]) -> None:
        """Take in the maxima (n, C) of the pictures in layers of a model."""
        for layer in self.layers_of(model):
            natural = store.read_examples(self.files.examples[model], [layer]).layers[layer]
            rows, columns = np.nonzero(self.place == self.places.index((model, layer)))
            units = self.unit[rows, columns]
            values = reached[layer][rows, units]
            self.reached[rows, columns], self.best[rows, columns] = values, natural.max[units]
            self.deviations[rows, columns] = (values - natural.mean[units]) / natural.std[units]

    def take(self, known: Trust) -> None:
        """What `trust` said of the same twins before."""
        self.reached, self.best, self.deviations = known.twin_reached, known.twin_best, known.twin_deviations
        self.path = (known.below, np.concatenate([known.path[..., None], known.similarity], -1))

    def trust(self) -> Trust:
        """All that was noted."""
        below, path = self.path
        return Trust(
            channel=self.channels,
            below=below,
            path=path[..., 0],
            similarity=path[..., 1:],
            relation=self.relations,
            twin_model=[model for model, _ in self.places],
            twin_layer=[layer for _, layer in self.places],
            twin_place=self.place,
            twin_unit=self.unit,
            twin_correlation=self.correlation,
            twin_reached=self.reached,
            twin_best=self.best,
            twin_deviations=self.deviations,
        )


def _paths(
    files: Files, shard: TrustShard, layer: str, channels: np.ndarray, reached: Mapping[str, np.ndarray]
) -> tuple[list[str], np.ndarray]:
    """Names of the layers below and (n, l, 4) numbers of `agreement`."""
    own = shard.model.key
    examples = store.read_examples(files.examples[own], [layer, *reached])
    keys = [key for path in files.activations for key in store.read_about(path).image]
    number = {key: place for place, key in enumerate(keys)}
    best = np.array(
        [[number[examples.image[row]] for row in examples.layers[layer].image[c][: shard.examples]] for c in channels]
    )
    spread = np.linspace(0, len(keys) - 1, min(len(keys), OTHERS + shard.examples)).round().astype(int)
    found = np.full((len(channels), len(reached), 4), np.nan, np.float32)
    for column, (below, synthetic) in enumerate(reached.items()):
        natural = examples.layers[below]
        rows = np.unique(np.concatenate([best.ravel(), spread]))
        pooled = store.read_pooled_rows(files.activations, below, rows)
        for place, own_best in enumerate(best):
            others = np.setdiff1d(spread, own_best)[:OTHERS]
            parts = [synthetic[place], *(pooled[np.searchsorted(rows, numbers)] for numbers in (own_best, others))]
            found[place, column] = agreement(*(_profile(part, natural) for part in parts))
    return list(reached), found


def _profile(maxima: np.ndarray, natural: store.LayerExamples) -> np.ndarray:
    """Maxima (..., C) in standard deviations of each unit over the photographs, without units that never change."""
    varies = natural.std > 0
    return (maxima[..., varies] - natural.mean[varies]) / natural.std[varies]


def _unit_length(profiles: np.ndarray) -> np.ndarray:
    centred = profiles - profiles.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(length > 0, length, np.inf)


def _by_layer(paths: Sequence[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        found.setdefault(path.parent.name, []).append(path)
    return found


def _channels(paths: Sequence[Path]) -> np.ndarray:
    """Channels (n,) with pictures from noise of one layer, ascending."""
    return np.sort(np.concatenate([store.read_reached(path, START)[0] for path in paths]), kind="stable")


def _pictures(paths: Sequence[Path]) -> np.ndarray:
    """Pictures (n, H, W, 3) from noise of one layer, in the order of `_channels`."""
    channels, parts = [], []
    for path in paths:
        found = store.read_pictures(path)[START]  # goes with its intermediate pictures, which are many times as large
        channels.append(found.channel)
        parts.append(found.picture)
    return np.concatenate(parts)[np.argsort(np.concatenate(channels), kind="stable")]


def _below(census: Path, layer: str, layers: Sequence[str]) -> list[str]:
    """The recorded layers that come before a layer in the network."""
    names = list(read_census(Path(census))["layer"])
    return [name for name in names[: names.index(layer)] if name in layers]
