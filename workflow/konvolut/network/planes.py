"""Pictures as a model takes them, and back: its normalisation, and the colour planes that it can tell apart."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from konvolut.network.data import LUMINANCE
from konvolut.network.memory import constant
from konvolut.network.models import Network

COLOURS = 3


def normalise(network: Network, pictures: Tensor) -> Tensor:
    """Model input (B, C, H, W) from RGB pictures (B, 3, H, W) in 0..1.

    One channel gets the luminance; more than three get R, G, B, R, G, ... as timm repeats its first layer's weights.
    """
    return of_planes(network, to_planes(network, pictures))


def denormalise(network: Network, inputs: Tensor) -> Tensor:
    """RGB pictures (B, 3, H, W), in 0..1 where the input (or the planes of one) came from such."""
    mean, std = (numbers[: inputs.shape[1]] for numbers in (network.data.mean, network.data.std))
    return in_colours(inputs * _column(std, inputs) + _column(mean, inputs))


def planes_of(network: Network) -> int:
    """How many planes a picture has as far as the model can tell: grey, red and green, or all three colours."""
    return min(network.data.input_size[0], COLOURS)


def to_planes(network: Network, pictures: Tensor) -> Tensor:
    """The planes (B, P, H, W) of RGB pictures (B, 3, H, W) in 0..1: their luminance, or the first P of them."""
    planes = planes_of(network)
    if planes > 1:
        return pictures[:, :planes]
    weights = constant(LUMINANCE, pictures.device, pictures.dtype)
    return (pictures * weights.view(1, COLOURS, 1, 1)).sum(1, keepdim=True)


def of_planes(network: Network, planes: Tensor) -> Tensor:
    """Model input (B, C, H, W) from planes (B, P, H, W) in 0..1, which repeat where there are more channels."""
    channels = network.data.input_size[0]
    if channels != planes.shape[1]:
        planes = planes[:, [c % planes.shape[1] for c in range(channels)]]
    return (planes - _column(network.data.mean, planes)) / _column(network.data.std, planes)


def in_colours(planes: Tensor) -> Tensor:
    """RGB pictures (B, 3, H, W) of planes (B, P, H, W): one is grey, of two the first is red and blue."""
    count = planes.shape[1]
    return planes if count == COLOURS else planes[:, [c % count for c in range(COLOURS)]]


def mixing(planes: int) -> np.ndarray:
    """(P, 3): to_planes as a matrix."""
    return np.array([LUMINANCE]) if planes == 1 else np.eye(COLOURS)[:planes]


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return constant(tuple(values), like.device, like.dtype).view(1, -1, 1, 1)
