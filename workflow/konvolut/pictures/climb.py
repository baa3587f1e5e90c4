"""The loop of every ascent: parameterisation -> transforms -> truncated model -> objective per sample -> step."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut.asked.recipes import Recipe
from konvolut.network.streamline import as_input
from konvolut.pictures.leaks import LEAKING_STEPS
from konvolut.pictures.objectives import Seen
from konvolut.pictures.parameters import Fourier, Maco, Pixels
from konvolut.pictures.steps import OPTIMISERS, rate
from konvolut.pictures.transforms import Crops, view_size, warp

Start = Pixels | Fourier | Maco
Looks = dict[str, Seen]


@dataclass(frozen=True)
class Climb:
    """What one run of the loop leaves: curve (steps + 1, B), pictures (B, H, W, 3) uint8 on the way and at the end.

    The curve is shorter where the climb ended early.
    """

    curve: Tensor
    kept: list[Tensor]
    pictures: Tensor


@dataclass(frozen=True)
class Scene:
    """What a climb looks at: the model as far as needed, the objective (B,) of what it makes of a batch, the warps
    (steps + 1, B, 2, 3) or None, the smaller size of the coarse steps or None, what opens the leaks at first, the
    crops that take the place of warps or None, the photographs (B, C, H, W), normalised, whose features the objective
    compares with, or None, what the curve tells where it is not the objective, and who watches the climb and ends it:
    told what the model made of the pictures, and the pictures."""

    forward: Callable[..., Looks]
    objective: Callable[[Looks], Tensor]
    matrices: Tensor | None = None
    coarse: tuple[int, int] | None = None
    leaks: Callable = contextlib.nullcontext
    crops: Crops | None = None
    known: Tensor | None = None
    judged: Callable[[Looks], Tensor] | None = None
    watch: Callable[[Looks, Start], bool] = lambda looks, start: False


def climb(start: Start, scene: Scene, recipe: Recipe, before: int = 0) -> Climb:
    """Raise the objective step by step; `before` steps of an earlier climb count for when pictures are kept."""
    optimiser = OPTIMISERS[recipe.optimiser](
        [start.values], lr=recipe.learning_rate, weight_decay=recipe.weight_decay, maximize=True
    )
    curve, kept = [], []
    for step in range(recipe.steps + 1):
        with scene.leaks() if step < LEAKING_STEPS else contextlib.nullcontext():
            looks, penalty = _look(start, scene, recipe, step)
            objective = scene.objective(looks)
            if scene.crops is not None:
                objective = objective.unflatten(0, (-1, recipe.crops)).mean(dim=1)
            objective = objective - penalty
            curve.append((objective if scene.judged is None else scene.judged(looks)).detach())
            if scene.watch(looks, start) or step == recipe.steps:
                break
            (start.values.grad,) = torch.autograd.grad(objective.sum(), start.values)
        optimiser.param_groups[0]["lr"] = rate(recipe, step)
        optimiser.step()
        if recipe.clip:
            start.clip()
        if recipe.keep_every and (before + step + 1) % recipe.keep_every == 0:
            kept.append(to_u8(start.pictures()))
    return Climb(torch.stack(curve), kept, to_u8(start.pictures()))


def _look(start: Start, scene: Scene, recipe: Recipe, step: int) -> tuple[Looks, Tensor | float]:
    """What the model makes of this step's view, and what the size of the normalised picture costs."""
    coarse = scene.coarse if step < recipe.coarse_steps else None
    picture = start.seen(coarse)
    view = _view(picture, scene, recipe, step)
    penalty = 0.0
    if recipe.l1:
        penalty = penalty + recipe.l1 * picture.abs().sum(dim=(1, 2, 3))
    if recipe.l2:
        penalty = penalty + recipe.l2 * picture.square().sum(dim=(1, 2, 3))
    if scene.known is None:
        return scene.forward(view), penalty
    known = scene.known
    if coarse is not None:
        known = F.interpolate(known, coarse, mode="bilinear", antialias=True)
    return scene.forward(view, _view(known, scene, recipe, step)), penalty


def _view(picture: Tensor, scene: Scene, recipe: Recipe, step: int) -> Tensor:
    if scene.crops is not None:
        picture = scene.crops.of(picture, step)
    elif scene.matrices is not None:
        size = view_size(tuple(picture.shape[2:]), recipe.transforms)
        picture = warp(picture, scene.matrices[step], size, recipe.padding)
    return as_input(picture, recipe.precision)


def to_u8(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 on the CPU from (B, 3, H, W) in 0..1; what lies outside is clipped."""
    return (pictures.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
