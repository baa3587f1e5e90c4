"""Feature inversion: what a layer still knows of a photograph (Mahendran and Vedaldi 2015, arXiv 1412.0035).

From noise, a picture is sought with the same features. The loss is D + mu * V, V being the total variation, the sum of
|differences| of neighbours, and D the distance between the features of the picture and of the photograph:

    squared    sum of squared differences, as timm-vis has it; the picture may leave black and white
    relative   the same over the sum of the photograph's squared features, times the number of colour values: mu then
               means about the same in every layer; the picture is kept between black and white
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec, layer_spec
from konvolut.asked.shards import InversionShard, told
from konvolut.network import memory, models, planes
from konvolut.network.photographs import as_inputs, as_pictures, look_at
from konvolut.network.record import truncated
from konvolut.results import contents
from konvolut.results.part import Part

START_STD = 0.1  # of the noise, in standard deviations of photographs: more remains visible in late layers
TINY = 1e-12  # features that are all 0 have no relative error
OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def compute(shard: InversionShard, census: Path, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the pictures that one layer of a model makes of a shard's photographs."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    layer = layer_spec(Path(census), shard.layer)
    facts = network.facts() | told(shard) | {"photographs": provenance.photographs_sha256(shard.photographs)}
    passport = provenance.passport(technique="inversion", code=provenance.code_digest("techniques.inversion"), **facts)
    part = Part(output, "inversion", passport, [photograph.key for photograph in shard.photographs], progress)
    for photograph in [photograph for photograph in shard.photographs if photograph.key in part.missing()]:
        picture = look_at(network, [photograph])[0][0]
        seed = provenance.unit_seed(shard.seed, shard.model.id, shard.layer, photograph.id, "inversion")
        part.keep({photograph.key: invert(network, layer, picture, shard, seed)})
    part.finish()


def invert(network, layer: LayerSpec, picture: np.ndarray, recipe: InversionShard, seed: int) -> contents.Inversion:
    """The picture that has the features of `picture` (H, W, 3) uint8 in one layer."""
    features = truncated(network, layer)
    with torch.no_grad():
        known = features(as_inputs(network, picture[None]))
    noise = torch.randn((1, *network.data.input_size), generator=torch.Generator().manual_seed(seed))
    limits = [planes.normalise(network, torch.full((1, 3, 1, 1), shade)) for shade in (0.0, 1.0)]
    start = (START_STD * noise).to(network.device)
    inputs, curve = descend(features, known, start, recipe, [limit.to(network.device) for limit in limits])
    made = as_pictures(network, inputs)
    with torch.no_grad():
        error = float((features(as_inputs(network, made)) - known).norm() / known.norm().clamp(min=TINY))
    return contents.Inversion(picture, made[0], error, np.array(curve, np.float32))


def descend(features: Callable, known: Tensor, start: Tensor, recipe: InversionShard, limits: list[Tensor]):
    """The input (1, C, H, W) whose features come closest to the known ones, and the loss on the way.

    `limits` are the inputs (1, C, 1, 1) for black and for white.
    """
    inputs = start.clone().requires_grad_()
    is_relative = recipe.distance == "relative"
    scale = inputs.numel() / known.square().sum().clamp(min=TINY) if is_relative else 1.0
    optimiser = OPTIMISERS[recipe.optimiser]([inputs], lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, recipe.step_size, recipe.gamma)
    curve = []
    for step in range(recipe.steps + 1):
        loss = scale * (features(inputs) - known).square().sum() + recipe.total_variation * total_variation(inputs)
        curve.append(float(loss.detach()))
        if step < recipe.steps:
            (inputs.grad,) = torch.autograd.grad(loss, inputs)
            optimiser.step()
            schedule.step()
            if is_relative:
                inputs.data.clamp_(*limits)
    return inputs.detach(), curve


def total_variation(inputs: Tensor) -> Tensor:
    """The sum of the sizes of all differences between neighbours in (B, C, H, W)."""
    return inputs.diff(dim=2).abs().sum() + inputs.diff(dim=3).abs().sum()
