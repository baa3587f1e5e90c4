"""How far each step of an ascent goes: optimisers and the course of the learning rate."""

import functools
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from konvolut.asked.recipes import Recipe

# The last step's share of the learning rate under the cosine schedule: found by trial on tf_efficientnet_lite0.
LAST_RATE = 0.05
# Keeps a picture without any gradient from dividing by zero.
TINY = 1e-12


class Normalised(torch.optim.Optimizer):
    """values += lr · gradient / mean |gradient|, the mean over each sample alone (Mordvintsev, Olah and Tyka 2015)."""

    def __init__(self, values: Iterable[Tensor], lr: float, weight_decay: float = 0.0, maximize: bool = True) -> None:
        super().__init__(values, {"lr": lr, "weight_decay": weight_decay, "sign": 1 if maximize else -1})

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients that the values hold."""
        for group in self.param_groups:
            for values in group["params"]:
                uphill = group["sign"] * values.grad - group["weight_decay"] * values
                each = tuple(range(1, uphill.ndim))
                values += group["lr"] * uphill / uphill.abs().mean(dim=each, keepdim=True).clamp(min=TINY)


OPTIMISERS = {
    "adam": functools.partial(torch.optim.Adam, fused=True),
    "nadam": torch.optim.NAdam,
    "sgd": functools.partial(torch.optim.SGD, fused=True),
    "normalised": Normalised,
}


def rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: constant, half a cosine down to LAST_RATE of it, or stairs (torch's StepLR)."""
    if recipe.schedule == "stairs":
        return recipe.learning_rate * recipe.gamma ** (step // recipe.step_size)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    fall = (1 + math.cos(math.pi * step / recipe.steps)) / 2
    return recipe.learning_rate * (LAST_RATE + (1 - LAST_RATE) * fall)
