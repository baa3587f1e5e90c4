"""How much finished pictures excite their units."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut.network.models import Network
from konvolut.network.planes import normalise
from konvolut.pictures.objectives import own_channel
from konvolut.pictures.transforms import draw, warp
from konvolut.provenance import unit_seed

# Held-out transforms: other moves than any recipe's, an odd number of draws so that the median is one of them.
HELD_OUT = (("jitter", 24.0), ("scale", 0.14), ("rotate", 12.0))
HELD_OUT_DRAWS = 5


@torch.no_grad()
def score(network: Network, seen: Callable, pictures: Tensor, channels: Tensor, seeds: Sequence[int]) -> np.ndarray:
    """(B, 4) float32 of finished pictures (B, H, W, 3) uint8 by their channels and their units' seeds.

    The own channel's mean and max over the clean picture's map, and the medians of both over held-out transforms,
    drawn from generators that the ascent never used.
    """
    inputs = _inputs(network, pictures)
    clean = _mean_and_max(seen(inputs), channels)
    moved = [_mean_and_max(seen(view), channels) for view in _held_out(inputs, seeds)]
    return torch.cat([clean, torch.stack(moved).median(dim=0).values], dim=1).float().cpu().numpy()


@torch.no_grad()
def recognised(network: Network, pictures: Tensor, classes: Tensor, seeds: Sequence[int]) -> np.ndarray:
    """(B, 2) float32 of class pictures (B, H, W, 3) uint8: under the held-out transforms of `score` the median of their
    class' probability, and the share of transforms under which it is the likeliest."""
    own, is_first = [], []
    for view in _held_out(_inputs(network, pictures), seeds):
        scores = network.module(view).float()
        own.append(scores.softmax(1)[torch.arange(len(classes), device=classes.device), classes])
        is_first.append((scores.argmax(1) == classes).float())
    found = torch.stack([torch.stack(own).median(dim=0).values, torch.stack(is_first).mean(dim=0)], dim=1)
    return found.cpu().numpy()


def _inputs(network: Network, pictures: Tensor) -> Tensor:
    inputs = normalise(network, pictures.to(network.device).permute(0, 3, 1, 2) / 255)
    return inputs.contiguous(memory_format=torch.channels_last)


def _held_out(inputs: Tensor, seeds: Sequence[int]) -> Iterator[Tensor]:
    """The inputs (B, C, H, W) under each held-out transform."""
    generators = [torch.Generator().manual_seed(unit_seed(seed, "held-out")) for seed in seeds]
    matrices = torch.stack([draw(HELD_OUT, HELD_OUT_DRAWS, generator) for generator in generators], dim=1)
    for matrix in matrices:
        yield warp(inputs, matrix, (inputs.shape[2], inputs.shape[3]))


def _mean_and_max(activation: Tensor, channels: Tensor) -> Tensor:
    own = own_channel(activation, channels)
    return torch.stack([own.mean(dim=(1, 2)), own.amax(dim=(1, 2))], dim=1)
