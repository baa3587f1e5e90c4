"""The ascent: pictures that excite units, many at a time, in one loop.

A unit's picture does not depend on its batch-mates: every random number comes from the unit's own generator on the
CPU, the objective is per sample, and the optimisers work element by element. With `streamlined` networks the bits are
the same for any batch where a picture's sides are multiples of 16. Else a unit's place in the batch decides which
vector lane its numbers fall into: some functions round differently at a vector's end, and an ascent is chaotic.

Retry ladder for a unit whose objective did not rise (attempt 0 is the recipe as it is):
    1  another seed
    2  another seed; for the first 16 steps gradients leak through ReLUs that are off (lucid's remedy for dead units)
    3  as 2 with twice the steps; curve and intermediates keep the recipe's number by taking every second step
What still does not rise keeps the picture of its last attempt; its activation says that it is dead.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from konvolut import parameters, record
from konvolut.models import Network, normalise
from konvolut.objectives import OBJECTIVES, own_channel
from konvolut.provenance import unit_seed
from konvolut.recipes import Recipe
from konvolut.shards import LayerSpec
from konvolut.store import Pictures
from konvolut.transforms import draw, view_size, warp

OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
# Fields of Pictures with a row per unit.
PER_UNIT = tuple(field.name for field in dataclasses.fields(Pictures) if field.name != "step")
# Steps during which gradients leak through dead ReLUs, and the slope they see (16: lucid, its redirected ReLU).
LEAKING_STEPS, LEAK = 16, 0.1
# The first attempt with leaking gradients, the last one, and how many times as long the last one climbs.
FIRST_LEAKING_ATTEMPT, LAST_ATTEMPT, LONGER = 2, 3, 2
# The last step's share of the learning rate under the cosine schedule: found by trial on tf_efficientnet_lite0.
LAST_RATE = 0.05
# A rise below this share of the curve's range of magnitude is none.
LEAST_RISE = 1e-4
# Held-out transforms: larger moves than any recipe's, an odd number of draws so that the median is one of them.
HELD_OUT = (("jitter", 32.0), ("scale", 0.14), ("rotate", 14.0))
HELD_OUT_DRAWS = 5


@dataclasses.dataclass(frozen=True)
class UnitStart:
    """One picture to make: a channel, one seed per attempt, and the photograph to start from, (H, W, 3) uint8."""

    channel: int
    seeds: tuple[int, ...]
    picture: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Climb:
    """What one run of the loop leaves behind; first axis of `curve` is steps + 1, of `kept` the kept steps."""

    curve: Tensor
    kept: list[Tensor]
    pictures: Tensor


def ascend(
    network: Network,
    layer: LayerSpec,
    units: Sequence[UnitStart],
    recipe: Recipe,
    size: tuple[int, int],
    progress: Callable[[int], None] = lambda done: None,
) -> Pictures:
    """Pictures of `units`, (H, W) = size, each retried by the ladder where it does not rise.

    `progress` is told how many units are done. Running out of a GPU's memory halves the batch.
    """
    batch = recipe.units_per_batch
    parts: list[Pictures] = []
    done = 0
    while done < len(units):
        part = units[done : done + batch]
        try:
            parts.append(_with_retries(network, layer, part, dataclasses.replace(recipe, units_per_batch=batch), size))
        except torch.cuda.OutOfMemoryError:
            if batch == 1:
                raise
            torch.cuda.empty_cache()
            batch //= 2
            continue
        done += len(part)
        progress(done)
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_UNIT}
    return dataclasses.replace(parts[0], **joined)


def climb(seen: Callable, start, channels: Tensor, matrices: Tensor | None, recipe: Recipe, leaky) -> Climb:
    """The loop: parameterisation -> transforms -> truncated model -> objective per sample -> step.

    `seen` is the model truncated at the layer, `matrices` (steps + 1, B, 2, 3) the warps or None.
    """
    optimiser = OPTIMISERS[recipe.optimiser](
        [start.values], lr=recipe.learning_rate, weight_decay=recipe.weight_decay, maximize=True, foreach=False
    )
    size = view_size(tuple(start.seen().shape[2:]), recipe.transforms)
    curve, kept = [], []
    for step in range(recipe.steps + 1):
        view = start.seen() if matrices is None else warp(start.seen(), matrices[step], size, recipe.padding)
        with leaky() if step < LEAKING_STEPS else contextlib.nullcontext():
            score = OBJECTIVES[recipe.objective](seen(view), channels)
            curve.append(score.detach())
            if step == recipe.steps:
                break
            (start.values.grad,) = torch.autograd.grad(score.sum(), start.values)
        optimiser.param_groups[0]["lr"] = rate(recipe, step)
        optimiser.step()
        if recipe.keep_every and (step + 1) % recipe.keep_every == 0:
            kept.append(to_u8(start.pictures()))
    return Climb(torch.stack(curve), kept, to_u8(start.pictures()))


def rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: constant, or half a cosine from the whole to LAST_RATE of it."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    fall = (1 + math.cos(math.pi * step / recipe.steps)) / 2
    return recipe.learning_rate * (LAST_RATE + (1 - LAST_RATE) * fall)


def to_u8(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 on the CPU from (B, 3, H, W) in 0..1; what lies outside is clipped."""
    return (pictures.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()


def _with_retries(network: Network, layer: LayerSpec, units: Sequence[UnitStart], recipe: Recipe, size) -> Pictures:
    """One batch of units, the dead ones again and again as far as the recipe and the ladder go.

    Units come in twos at least: libraries take another kernel for a batch of one, which rounds differently.
    """
    if len(units) == 1:
        twice = _with_retries(network, layer, [*units, *units], recipe, size)
        return _rows(twice, [0])
    result = _attempt(network, layer, units, recipe, size, attempt=0)
    for attempt in range(1, 1 + min(recipe.retries, LAST_ATTEMPT)):
        dead = [index for index, curve in enumerate(result.curve) if not _rises(curve)]
        if not dead:
            break
        chosen = [units[index] for index in (dead * 2 if len(dead) == 1 else dead)]
        again = _attempt(network, layer, chosen, recipe, size, attempt=attempt)
        for name in PER_UNIT:
            getattr(result, name)[dead] = getattr(again, name)[: len(dead)]
    return result


def _rows(pictures: Pictures, rows: list[int]) -> Pictures:
    return dataclasses.replace(pictures, **{name: getattr(pictures, name)[rows] for name in PER_UNIT})


def _attempt(network, layer, units, recipe: Recipe, size: tuple[int, int], *, attempt: int) -> Pictures:
    stride = LONGER if attempt >= LAST_ATTEMPT else 1
    longer = dataclasses.replace(recipe, steps=recipe.steps * stride, keep_every=recipe.keep_every * stride)
    generators = [torch.Generator().manual_seed(unit.seeds[attempt % len(unit.seeds)]) for unit in units]
    channels = torch.tensor([unit.channel for unit in units], device=network.device)
    start = _start(network, units, recipe, size, generators)
    matrices = None
    if recipe.transforms:
        matrices = torch.stack([draw(recipe.transforms, longer.steps + 1, one) for one in generators], dim=1)
        matrices = matrices.to(network.device)
    leaky = contextlib.nullcontext if attempt < FIRST_LEAKING_ATTEMPT else lambda: leaking(network.module)
    seen = record.truncated(network, layer)
    run = climb(seen, start, channels, matrices, longer, leaky)
    kept_steps = range(recipe.keep_every, recipe.steps + 1, recipe.keep_every) if recipe.keep_every else ()
    none_kept = torch.empty(len(units), 0, *size, 3, dtype=torch.uint8)
    return Pictures(
        channel=channels.cpu().numpy().astype(np.int32),
        picture=run.pictures.numpy(),
        step=np.array(kept_steps, dtype=np.int32),
        intermediate=(torch.stack(run.kept, dim=1) if run.kept else none_kept).numpy(),
        curve=run.curve[::stride].T.float().cpu().numpy(),
        activation=score(network, seen, run.pictures, channels, [unit.seeds[0] for unit in units]),
        attempt=np.full(len(units), attempt, dtype=np.int32),
    )


def _start(network: Network, units: Sequence[UnitStart], recipe: Recipe, size: tuple[int, int], generators):
    if units[0].picture is None:
        return parameters.start_noise(recipe.parameterisation, network, generators, size)
    photographs = torch.from_numpy(np.stack([unit.picture for unit in units]))
    pictures = photographs.to(network.device).permute(0, 3, 1, 2) / 255
    return parameters.start_pictures(recipe.parameterisation, network, pictures)


def _rises(curve: np.ndarray) -> bool:
    """Whether an ascent got anywhere: its last tenth lies above its first value."""
    late = curve[-max(1, len(curve) // 10) :].mean()
    return bool(late - curve[0] > LEAST_RISE * max(abs(float(curve[0])), LEAST_RISE))


@torch.no_grad()
def score(network: Network, seen: Callable, pictures: Tensor, channels: Tensor, seeds: Sequence[int]) -> np.ndarray:
    """(B, 4) float32 of finished pictures (B, H, W, 3) uint8: the own channel's clean mean and max over the map, and
    the medians of both over held-out transforms (drawn from generators of their own)."""
    inputs = normalise(network, pictures.to(network.device).permute(0, 3, 1, 2) / 255)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    generators = [torch.Generator().manual_seed(unit_seed(seed, "held-out")) for seed in seeds]
    matrices = torch.stack([draw(HELD_OUT, HELD_OUT_DRAWS, generator) for generator in generators], dim=1)
    size = (inputs.shape[2], inputs.shape[3])
    clean = _mean_and_max(seen(inputs), channels)
    moved = [_mean_and_max(seen(warp(inputs, matrix, size)), channels) for matrix in matrices]
    return torch.cat([clean, torch.stack(moved).median(dim=0).values], dim=1).float().cpu().numpy()


def _mean_and_max(activation: Tensor, channels: Tensor) -> Tensor:
    own = own_channel(activation, channels)
    return torch.stack([own.mean(dim=(1, 2)), own.amax(dim=(1, 2))], dim=1)


@contextlib.contextmanager
def leaking(module: nn.Module) -> Iterator[None]:
    """Let gradients through ReLUs that are off: their outputs stay, their slope is nowhere below LEAK."""

    def leak(relu: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output + LEAK * (inputs[0] - inputs[0].detach())

    relus = [part for part in module.modules() if isinstance(part, nn.ReLU | nn.ReLU6)]
    inplace = [relu.inplace for relu in relus]
    handles = []
    try:
        for relu in relus:
            relu.inplace = False  # an input that is overwritten has lost the gradient that shall pass
            handles.append(relu.register_forward_hook(leak))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for relu, was in zip(relus, inplace, strict=True):
            relu.inplace = was
