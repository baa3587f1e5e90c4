"""Scores of finished pictures, by their definition."""

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.network.models import DataConfig, Network
from konvolut.pictures import scores, transforms
from konvolut.provenance import unit_seed


@pytest.fixture
def network():
    torch.manual_seed(0)
    data = DataConfig((3, 12, 12), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bicubic", 1.0, "center")
    return Network(nn.Conv2d(3, 5, 3).requires_grad_(False), {}, "", data)


def test_a_score_is_the_clean_mean_and_max_and_the_medians_of_both_under_held_out_moves(network):
    pictures = torch.randint(0, 256, (2, 12, 12, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    channels, seeds = torch.tensor([3, 1]), [11, 12]
    found = scores.score(network, network.module, pictures, channels, seeds)
    for row, (channel, seed) in enumerate(zip(channels, seeds, strict=True)):
        picture = pictures[row].permute(2, 0, 1)[None] / 255
        mean, std = (torch.tensor(v)[None, :, None, None] for v in (network.data.mean, network.data.std))
        seen = (picture - mean) / std
        clean = network.module(seen)[0, channel]
        generator = torch.Generator().manual_seed(unit_seed(seed, "held-out"))
        moves = transforms.draw(scores.HELD_OUT, 5, generator)
        moved = [network.module(transforms.warp(seen, move[None], (12, 12)))[0, channel] for move in moves]
        means, maxima = sorted(float(m.mean()) for m in moved), sorted(float(m.max()) for m in moved)
        expected = [float(clean.mean()), float(clean.max()), means[2], maxima[2]]
        np.testing.assert_allclose(found[row], expected, atol=1e-5)
