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
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec, layer_spec, read_census
from konvolut.asked.shards import TrustShard
from konvolut.network import memory, models
from konvolut.network.photographs import as_inputs
from konvolut.network.record import record
from konvolut.network.shapes import takes
from konvolut.pictures import crops
from konvolut.results import store
from konvolut.results.part import Part, digest_of
from konvolut.techniques.activations import summarise
from konvolut.techniques.agreement import paths
from konvolut.techniques.twins import Twins

START = "noise"
BATCH = 8  # pictures in one forward pass


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
    memory.keep_freed_blocks()
    own = shard.model.key
    networks = {source.key: source for source in shard.models}
    pictured = _by_layer(files.channels)
    twins = {layer: Twins(files.alike, layer, _channels(of_layer)) for layer, of_layer in pictured.items()}
    wanted = {source: {layer: one.layers_of(source) for layer, one in twins.items()} for source in networks}
    asked = [own, *(key for key in networks if key != own and any(wanted[key].values()))]
    steps = {f"{key} {layer}": (key, layer) for key in asked for layer in pictured}

    @functools.lru_cache(maxsize=1)
    def build(key: str) -> models.Network:
        return models.build(networks[key], models.choose_device(shard.device))

    code = provenance.code_digest("techniques.trust")
    passport = provenance.passport(technique="trust", code=code, **build(own).facts())
    known = Part(output, "trust", passport | {"of": digest_of(shard, _inputs(files))}, list(steps), progress)
    for step, (key, layer) in steps.items():
        if step in known.units:
            twins[layer].take(known.units[step])
            continue
        below = _below(files.census[own], layer, shard.layers) if key == own else []
        specs = [layer_spec(files.census[key], name) for name in dict.fromkeys([*below, *wanted[key][layer]])]
        reached = maxima(build(key), specs, _pictures(pictured[layer])) if specs else {}
        twins[layer].note(key, files.examples[key], reached)
        if key == own:
            of_below = {name: reached[name] for name in below}
            twins[layer].path = paths(
                files.examples[own], files.activations, layer, twins[layer].channels, of_below, shard.examples
            )
        known.keep({step: twins[layer].trust()})
    store.write_named(Path(output), "trust", {layer: one.trust() for layer, one in twins.items()}, passport)
    shutil.rmtree(known.folder, ignore_errors=True)
    progress(len(steps), len(steps))


def _inputs(files: Files) -> list[Path]:
    """All files that the answer rests on."""
    of_models = [*files.census.values(), *files.examples.values()]
    return [*of_models, *files.activations, files.alike, *files.channels]


def maxima(network: models.Network, layers: Sequence[LayerSpec], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Layer -> (n, C) maxima over space for pictures (n, H, W, 3) uint8, in a size that the network takes."""
    size = network.data.input_size[1:]
    if not all(takes(network, layer, pictures.shape[1:3]) for layer in layers):
        pictures = np.stack([crops.fit(one, size, crop_pct=1.0, crop_mode="squash")[0] for one in pictures])
    found: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    with (
        torch.no_grad(),
        record(network.module, layers, stop=True, keep=lambda shown, _: summarise(shown)) as recording,
    ):

        def pooled(part: np.ndarray, _: int) -> dict:
            return dict(recording.run(network.module, as_inputs(network, part)))

        for _, of_batch in memory.Halving(BATCH).over(pictures, pooled):
            for name, summary in of_batch.items():
                found[name].append(summary["max"])
    return {name: np.concatenate(parts) for name, parts in found.items()}


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
