"""How much finished pictures excite their units."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut.network.models import Network, normalise
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
