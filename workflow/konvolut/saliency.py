"""Saliency: how much each pixel of a photograph moves the score of a class (Simonyan et al. 2013, arXiv 1312.6034).

The score is the logit, never the probability (whose gradient also falls when another class rises). The gradient is that
of the model's normalised input. Every method turns the signed gradient g (B, C, H, W) into maps (B, H, W) >= 0:

    vanilla   max over C of |g|
    positive  max over C of max(g, 0)      where more of a colour raises the score
    negative  max over C of -min(g, 0)     where less of a colour raises it

A grey input has one channel, and the maximum over C is that channel itself.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from konvolut import models, provenance, store
from konvolut.errors import UserError, nearest
from konvolut.photographs import batches, look_at
from konvolut.shards import SaliencyShard

PREDICTED = "predicted"


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


def vanilla(g: Tensor) -> Tensor:
    return g.abs().amax(1)


def positive(g: Tensor) -> Tensor:
    return g.clamp(min=0).amax(1)


def negative(g: Tensor) -> Tensor:
    return (-g).clamp(min=0).amax(1)


METHODS: dict[str, Callable[[Tensor], Tensor]] = {"vanilla": vanilla, "positive": positive, "negative": negative}


def scaled01(maps: Tensor) -> Tensor:
    """Each map (..., H, W) stretched to 0..1 by its own minimum and maximum; a flat map becomes 0."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, torch.ones_like(high))


def class_number(target: str | int, class_names: Sequence[str]) -> int:
    """The class that a number or a name means; "tabby" finds "tabby, tabby cat"."""
    if isinstance(target, int):
        if not 0 <= target < len(class_names):
            raise UserError(f"saliency: targets: class {target} is not in 0..{len(class_names) - 1}")
        return target
    asked = target.casefold().strip()
    words = [[name.casefold(), *(word.strip() for word in name.casefold().split(","))] for name in class_names]
    found = [number for number, possible in enumerate(words) if asked in possible]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{number} ({class_names[number]})" for number in found)
        raise UserError(f"saliency: targets: {target!r} means several classes; possible: {choices}")
    close = nearest(asked, [word for possible in words for word in possible])
    raise UserError(f"saliency: targets: no class of the model is called {target!r}{close}")


def choose_targets(logits: Tensor, targets: Sequence[str | int], top: int, class_names: Sequence[str]) -> Tensor:
    """Class numbers (B, k): the `top` likeliest where "predicted" is asked for, then the given ones, none twice."""
    given = dict.fromkeys(class_number(target, class_names) for target in targets if target != PREDICTED)
    count = min(len(class_names), len(given) + (top if PREDICTED in targets else 0))
    rows = []
    for ranked in logits.argsort(dim=1, descending=True, stable=True).tolist():
        likeliest = ranked[:top] if PREDICTED in targets else []
        rows.append(list(dict.fromkeys([*likeliest, *given, *ranked]))[:count])
    return torch.tensor(rows, device=logits.device)


def compute(shard: SaliencyShard, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the maps of a shard's photographs."""
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names:
        raise UserError(f"saliency: model {shard.model.id!r} has no classes (num_classes is 0)")
    pictures, _ = look_at(network, shard.photographs)
    choose = functools.partial(choose_targets, targets=shard.targets, top=shard.top, class_names=network.class_names)
    targets, probabilities, maps = [], [], {method: [] for method in shard.methods}
    for rows, inputs in batches(network, pictures):
        count = rows.stop - rows.start
        found = explain(network, inputs, choose)
        for method, collected in maps.items():
            collected.append(_rows(torch.stack([METHODS[method](g) for g in found.gradients], 1), count))
        targets.append(_rows(found.targets, count))
        probabilities.append(_rows(found.logits.softmax(1).gather(1, found.targets), count))
        progress(rows.stop, len(pictures))
    classes = np.concatenate(targets).astype(np.int32)
    content = store.Saliency(
        image=[photograph.key for photograph in shard.photographs],
        input=pictures,
        target_class=classes,
        target_name=[[network.class_names[c] for c in row] for row in classes],
        target_probability=np.concatenate(probabilities),
        maps={method: np.concatenate(parts) for method, parts in maps.items()},
    )
    facts = network.facts() | {"methods": shard.methods, "targets": shard.targets, "top": shard.top}
    passport = provenance.passport(technique="saliency", code=provenance.code_digest("saliency"), **facts)
    store.write_saliency(Path(output), content, passport)


def _rows(values: Tensor, count: int) -> np.ndarray:
    return values[:count].cpu().numpy()
