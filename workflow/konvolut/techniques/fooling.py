"""Fooling a model: a photograph changed, step by step, until the model takes it for another class.

The loop is timm-vis' fool_model: SGD on the normalised input along the gradient of the target's logit, the learning
rate falling by StepLR. It ends when the picture *as saved*, clipped and in 8 bits, has the probability asked for.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from konvolut import provenance
from konvolut.asked.shards import FoolingShard, told
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.classes import class_number
from konvolut.network.photographs import LARGEST_8_BIT, as_inputs, as_pictures, look_at
from konvolut.results import contents
from konvolut.results.part import Part


def compute(shard: FoolingShard, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the changed photographs of a shard."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names:
        raise UserError(f"fooling: model {shard.model.id!r} has no classes (num_classes is 0)")
    targets = [class_number(target, network.class_names, "fooling: targets") for target in shard.targets]
    facts = network.facts() | told(shard) | {"photographs": provenance.photographs_sha256(shard.photographs)}
    passport = provenance.passport(technique="fooling", code=provenance.code_digest("techniques.fooling"), **facts)
    part = Part(output, "fooling", passport, [photograph.key for photograph in shard.photographs], progress)
    for photograph in [photograph for photograph in shard.photographs if photograph.key in part.missing()]:
        picture = look_at(network, [photograph])[0][0]
        part.keep({photograph.key: fool(network, picture, targets, shard)})
    part.finish()


def fool(network: models.Network, picture: np.ndarray, targets: list[int], recipe: FoolingShard) -> contents.Fooling:
    """The picture (H, W, 3) uint8 changed for each target; the last step's where the model is not fooled."""
    before = probabilities(network, picture)
    made = [_climb(network, picture, target, recipe) for target in targets]
    pictures = np.stack([changed for changed, _ in made])
    difference = (pictures.astype(np.float32) - picture) / LARGEST_8_BIT
    curves = np.full((len(made), recipe.steps + 1), np.nan, np.float32)
    for row, (_, curve) in enumerate(made):
        curves[row, : len(curve)] = curve
    return contents.Fooling(
        input=picture,
        predicted_class=int(before.argmax()),
        predicted_name=network.class_names[int(before.argmax())],
        target_class=np.array(targets, np.int32),
        target_name=[network.class_names[target] for target in targets],
        picture=pictures,
        probability=np.array([probabilities(network, p)[t] for p, t in zip(pictures, targets, strict=True)]),
        before=before[targets],
        steps=np.array([len(curve) - 1 for _, curve in made], np.int32),
        l2=np.sqrt((difference**2).sum((1, 2, 3))),
        linf=np.abs(difference).max((1, 2, 3)),
        curve=curves,
    )


@torch.inference_mode()
def probabilities(network: models.Network, picture: np.ndarray) -> np.ndarray:
    """(classes,) float32 of one picture (H, W, 3) uint8."""
    return network.module(as_inputs(network, picture[None]))[0].softmax(0).cpu().numpy()


def _climb(network: models.Network, picture: np.ndarray, target: int, recipe: FoolingShard):
    """The changed picture, 8 bits, and the target's probability before each step and at the end."""
    inputs = as_inputs(network, picture[None]).requires_grad_()
    optimiser = torch.optim.SGD([inputs], lr=recipe.learning_rate, maximize=True)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, recipe.step_size, recipe.gamma)
    curve = []
    for step in range(recipe.steps + 1):
        logits = network.module(inputs)[0]
        curve.append(float(logits.detach().softmax(0)[target]))
        changed = as_pictures(network, inputs)[0]
        is_enough = curve[-1] >= recipe.min_prob and probabilities(network, changed)[target] >= recipe.min_prob
        if is_enough or step == recipe.steps:
            return changed, curve
        (inputs.grad,) = torch.autograd.grad(logits[target], inputs)
        optimiser.step()
        schedule.step()
