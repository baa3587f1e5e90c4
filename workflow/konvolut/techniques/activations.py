"""Activations: one forward pass per photograph, its maps and pooled statistics in all layers, its likeliest classes."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from konvolut import provenance
from konvolut.asked.shards import ActivationsShard, layer_spec
from konvolut.network import memory, models
from konvolut.network.photographs import batches, look_at
from konvolut.network.record import record
from konvolut.results import store

TOP_CLASSES = 5


def compute(shard: ActivationsShard, census: Path, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the activations of a shard's photographs; layers are those of the census of the same model."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    layers = [layer_spec(Path(census), name) for name in shard.layers]
    pictures, boxes = look_at(network, shard.photographs)
    parts: dict[str, list[dict]] = {layer.name: [] for layer in layers}
    classes, probabilities = [], []
    keep = functools.partial(summarise, dtype=shard.dtype if shard.maps else None)
    with torch.inference_mode(), record(network.module, layers, keep=keep) as recording:
        for rows, inputs in batches(network, pictures):
            recording.run(network.module, inputs)
            count = rows.stop - rows.start
            for name, summary in recording.items():
                parts[name].append({kind: values[:count] for kind, values in summary.items()})
            best = predict(network, recording.output[:count])
            classes.append(best[0])
            probabilities.append(best[1])
            progress(rows.stop, len(pictures))
    content = store.Activations(
        image=[photograph.key for photograph in shard.photographs],
        label=[photograph.label for photograph in shard.photographs],
        crop=boxes,
        predicted_class=np.concatenate(classes),
        probability=np.concatenate(probabilities),
        predicted_name=[[network.class_names[c] for c in row] for row in np.concatenate(classes)],
        layers={name: _joined(part) for name, part in parts.items()},
    )
    facts = network.facts() | {"dtype": shard.dtype, "compression": shard.compression}
    code = provenance.code_digest("techniques.activations")
    passport = provenance.passport(technique="activations", code=code, **facts)
    store.write_activations(Path(output), content, passport, shard.compression)


def summarise(shown: Tensor, *, dtype: str | None) -> dict[str, np.ndarray]:
    """Of (B, C, H, W): maximum and mean over H, W, the first cell of the maximum, and the maps in dtype unless None."""
    shown = shown.float()
    flat = shown.flatten(2)
    first = flat.argmax(2)
    cell = torch.stack([first // shown.shape[3], first % shown.shape[3]], -1)
    maps = {} if dtype is None else {"maps": _narrowed(shown.cpu().numpy(), dtype)}
    return maps | {
        "max": flat.amax(2).cpu().numpy(),
        "mean": flat.mean(2).cpu().numpy(),
        "cell": cell.to(torch.int32).cpu().numpy(),
    }


def predict(network: models.Network, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Classes (n, 5) int32 and their probabilities, likeliest first; (n, 0) for a model without classes."""
    if not network.class_names:
        return np.zeros((len(logits), 0), np.int32), np.zeros((len(logits), 0), np.float32)
    top = logits.float().softmax(1).topk(min(TOP_CLASSES, logits.shape[1]))
    return top.indices.to(torch.int32).cpu().numpy(), top.values.cpu().numpy()


def _narrowed(maps: np.ndarray, dtype: str) -> np.ndarray:
    """The maps in another type; what float16 cannot hold becomes its largest number, not infinity."""
    limits = np.finfo(dtype)
    return maps.clip(limits.min, limits.max).astype(dtype)


def _joined(parts: list[dict]) -> store.LayerActivations:
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return store.LayerActivations(**({"maps": None} | columns))
