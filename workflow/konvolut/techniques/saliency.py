"""Saliency: maps of photographs for the predicted and the given classes, by the methods of attributions.py."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from konvolut import provenance
from konvolut.asked.censuses import read_census
from konvolut.asked.shards import SaliencyShard, told
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.classes import class_number
from konvolut.network.photographs import batch_size, filled, look_at
from konvolut.results import contents
from konvolut.results.part import Part
from konvolut.techniques import attributions, refusals
from konvolut.techniques.attributions import Question

PREDICTED = "predicted"
TARGETS = "saliency: targets"


def gradient(network: models.Network, inputs: Tensor, targets: Tensor) -> Tensor:
    """d logit[target] / d input (B, C, H, W) for one class number per input, targets (B,)."""
    return explain(network, inputs, lambda logits: targets[:, None]).gradients[0]


@dataclasses.dataclass(frozen=True)
class Explained:
    """Logits (B, classes), targets (B, k), and k gradients (B, C, H, W)."""

    logits: Tensor
    targets: Tensor
    gradients: list[Tensor]


def explain(network: models.Network, inputs: Tensor, choose: Callable[[Tensor], Tensor]) -> Explained:
    """Gradients for the targets (B, k) that `choose` picks by the logits; one forward pass."""
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        logits = network.module(inputs)
        targets = choose(logits.detach())
        # Pictures share no statistics in eval mode: the gradient of the sum is each picture's own gradient.
        scores = logits.gather(1, targets).sum(0)
        found = [torch.autograd.grad(score, inputs, retain_graph=True)[0] for score in scores]
    return Explained(logits.detach(), targets, found)


def choose_targets(logits: Tensor, targets: Sequence[str | int], top: int, class_names: Sequence[str]) -> Tensor:
    """Class numbers (B, k): the `top` likeliest where "predicted" is asked for, then the given ones, none twice."""
    given = dict.fromkeys(class_number(target, class_names, TARGETS) for target in targets if target != PREDICTED)
    count = min(len(class_names), len(given) + (top if PREDICTED in targets else 0))
    rows = []
    for ranked in logits.argsort(dim=1, descending=True, stable=True).tolist():
        likeliest = ranked[:top] if PREDICTED in targets else []
        rows.append(list(dict.fromkeys([*likeliest, *given, *ranked]))[:count])
    return torch.tensor(rows, device=logits.device)


def compute(shard: SaliencyShard, census: Path, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the maps of a shard's photographs; `census` is the layers.csv of the same model."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names and set(shard.targets) != {PREDICTED}:
        raise UserError(f"saliency: model {shard.model.id!r} has no classes (num_classes is 0)")
    layers = read_census(Path(census))
    refused = {method: refusals.refusal(network, method, layers) for method in shard.methods}
    refused = {method: reason for method, reason in refused.items() if reason}
    facts = network.facts() | told(shard) | {"photographs": provenance.photographs_sha256(shard.photographs)}
    passport = provenance.passport(technique="saliency", code=provenance.code_digest("techniques.saliency"), **facts)
    part = Part(output, "saliency", passport, [photograph.key for photograph in shard.photographs], progress)
    left = [photograph for photograph in shard.photographs if photograph.key in part.missing()]
    last_map = refusals.last_map(layers)

    def explained(batch: Sequence, size: int) -> contents.Saliency:
        return maps_of(network, shard, batch, last_map, refused, size)

    for _, found in memory.Halving(batch_size(network)).over(left, explained):
        part.keep(found.of_each())
    part.finish()


def maps_of(
    network: models.Network,
    shard: SaliencyShard,
    photographs: Sequence,
    last_map: str,
    refused: dict[str, str],
    size: int,
) -> contents.Saliency:
    """The maps of one batch of photographs, by the methods of the shard that are not refused; `size` inputs a pass."""
    pictures, _ = look_at(network, photographs)
    if not network.class_names:
        return _of_no_class(shard, photographs, pictures)
    inputs = filled(network, pictures, size)
    seeds = tuple(_seed(shard, photograph.id) for photograph in photographs)
    choose = functools.partial(choose_targets, targets=shard.targets, top=shard.top, class_names=network.class_names)
    found = explain(network, inputs, choose)
    classes = _rows(found.targets, len(seeds)).astype(np.int32)
    return contents.Saliency(
        image=[photograph.key for photograph in photographs],
        input=pictures,
        target_class=classes,
        target_name=[[network.class_names[number] for number in row] for row in classes],
        target_probability=_rows(found.logits.softmax(1).gather(1, found.targets), len(seeds)),
        maps=_maps(network, inputs, found, seeds, [one for one in shard.methods if one not in refused], last_map),
        refused=refused,
    )


def _of_no_class(shard: SaliencyShard, photographs: Sequence, pictures: np.ndarray) -> contents.Saliency:
    """What there is to say of photographs by a model that predicts nothing."""
    none = np.zeros((len(photographs), 0))
    return contents.Saliency(
        image=[photograph.key for photograph in photographs],
        input=pictures,
        target_class=none.astype(np.int32),
        target_name=[[] for _ in photographs],
        target_probability=none.astype(np.float32),
        maps={},
        refused=dict.fromkeys(shard.methods, "the model has no classes"),
    )


def _maps(network, inputs, found: Explained, seeds, methods, last_map) -> dict[str, np.ndarray]:
    """Per method (n, k, ...) for the first n = len(seeds) inputs and the k targets of each."""
    questions = [
        Question(network, inputs, found.targets[:, place], g, seeds, last_map)
        for place, g in enumerate(found.gradients)
    ]
    return {
        method: np.stack([_rows(attributions.attribute(method, one), len(seeds)) for one in questions], 1)
        for method in methods
    }


def _seed(shard: SaliencyShard, photograph: str) -> int:
    return provenance.unit_seed(shard.seed, shard.model.id, photograph, "saliency")


def _rows(values: Tensor, count: int) -> np.ndarray:
    return values[:count].cpu().numpy()
