"""Objectives: one number per sample from a layer's activation (B, C, H, W) and each sample's channel (B,).

The ascent sums them over the batch; since no sample's number depends on another's input, batch-mates never mix.
"""

import torch
from torch import Tensor

# Slope below zero of `peaks`: found by trial on tf_efficientnet_lite0; at 0 a unit that starts below 0 has no gradient.
PEAKS_SLOPE = 0.1


def own_channel(activation: Tensor, channels: Tensor) -> Tensor:
    """(B, H, W): sample b's map of channel channels[b]."""
    return activation[torch.arange(len(channels), device=activation.device), channels]


def mean(activation: Tensor, channels: Tensor) -> Tensor:
    """(B,): the mean of the own channel (LAB, lucid's channel objective)."""
    return own_channel(activation, channels).mean(dim=(1, 2))


def peaks(activation: Tensor, channels: Tensor) -> Tensor:
    """(B,): the mean of the own channel with its negative part shrunk.

    The mean of a linear layer's channel is the response to flat colour (edges cancel): `mean` paints stems flat.
    """
    return torch.nn.functional.leaky_relu(own_channel(activation, channels), PEAKS_SLOPE).mean(dim=(1, 2))


OBJECTIVES = {"mean": mean, "peaks": peaks}
