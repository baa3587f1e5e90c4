"""Objectives: their definitions, one sample at a time."""

import pytest
import torch

from konvolut import objectives


@pytest.fixture
def activation():
    return torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


CHANNELS = torch.tensor([2, 0, 2])


def test_mean_is_the_mean_over_the_own_channels_map(activation):
    expected = [sum(activation[b, c].flatten().tolist()) / 10 for b, c in enumerate(CHANNELS)]
    assert objectives.mean(activation, CHANNELS).tolist() == pytest.approx(expected)


def test_peaks_counts_a_tenth_of_what_is_negative(activation):
    expected = [
        sum(v if v > 0 else v / 10 for v in activation[b, c].flatten().tolist()) / 10 for b, c in enumerate(CHANNELS)
    ]
    assert objectives.peaks(activation, CHANNELS).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", objectives.OBJECTIVES)
def test_a_samples_objective_sees_its_own_channel_alone(activation, name):
    activation.requires_grad_()
    objectives.OBJECTIVES[name](activation, CHANNELS)[1].backward()
    touched = {tuple(index[:2]) for index in activation.grad.nonzero().tolist()}
    assert touched == {(1, 0)}
