"""Parameterisations: what the optimiser changes (`values`), as pictures and as the model sees them.

Both hold a leaf tensor with the units of a batch along its first axis and never mix them:
`pictures()` is (B, 3, H, W), nominally in 0..1; `seen()` is the model's normalised input (B, C, H, W).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from konvolut.models import Network, denormalise, normalise

# Grey noise of the lab notebook: uniform between these two.
GREY_LOW, GREY_HIGH = 150 / 255, 180 / 255
# lucid: standard deviation of the spectrum at the start, and the number that the picture is divided by.
SPECTRUM_STD = 0.01
SPECTRUM_DIVISOR = 4.0
# lucid: square root of the colour covariance of ImageNet's photographs; its columns are three independent colours.
COLOUR_SQRT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
# Photographs are kept this far from black and white, where the sigmoid has no slope.
PHOTO_MARGIN = 0.02


class Pixels:
    """The normalised input itself; pictures may leave 0..1 during the ascent."""

    def __init__(self, network: Network, pictures: Tensor) -> None:
        self.network = network
        self.values = normalise(network, pictures).contiguous(memory_format=torch.channels_last).requires_grad_()

    def seen(self) -> Tensor:
        return self.values

    def pictures(self) -> Tensor:
        return denormalise(self.network, self.values)


class Fourier:
    """A spectrum in decorrelated colours: picture = sigmoid(colours · irfft2(values · scale) / 4).

    `values` is (B, 3, H, W // 2 + 1, 2), real and imaginary part last; the scale makes all frequencies of a natural
    photograph about equally large (lucid's image.py).
    """

    def __init__(self, network: Network, values: Tensor, size: tuple[int, int]) -> None:
        self.network, self.size = network, size
        self.values = values.requires_grad_()
        self.scale = spectrum_scale(*size).to(values.device)[..., None]
        self.colours = colour_matrix().to(values.device)

    def seen(self) -> Tensor:
        return normalise(self.network, self.pictures()).contiguous(memory_format=torch.channels_last)

    def pictures(self) -> Tensor:
        spectrum = torch.view_as_complex(self.values * self.scale)
        planes = torch.fft.irfft2(spectrum, s=self.size) / SPECTRUM_DIVISOR
        return torch.sigmoid(torch.einsum("ij,bjhw->bihw", self.colours, planes))


def colour_matrix() -> Tensor:
    """(3, 3): from independent colours to red, green and blue, the longest column of length 1."""
    matrix = torch.tensor(COLOUR_SQRT)
    return matrix / matrix.norm(dim=0).max()


def frequencies(height: int, width: int) -> Tensor:
    """(H, W // 2 + 1): the length of each frequency of irfft2 in cycles per pixel."""
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])


def spectrum_scale(height: int, width: int) -> Tensor:
    """(H, W // 2 + 1): sqrt(w h) / max(f, 1 / max(w, h))."""
    return (width * height) ** 0.5 / frequencies(height, width).clamp(min=1 / max(width, height))


def start_noise(name: str, network: Network, generators: Sequence[torch.Generator], size: tuple[int, int]):
    """The parameterisation `name` from random starts, one generator per unit; drawn on the CPU for all devices."""
    device = next(network.module.parameters()).device
    if name == "pixels":
        noise = torch.stack([torch.rand(3, *size, generator=generator) for generator in generators])
        return Pixels(network, (noise * (GREY_HIGH - GREY_LOW) + GREY_LOW).to(device))
    shape = (3, size[0], size[1] // 2 + 1, 2)
    noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
    return Fourier(network, (noise * SPECTRUM_STD).to(device), size)


def start_pictures(name: str, network: Network, pictures: Tensor):
    """The parameterisation `name` that shows the given pictures (B, 3, H, W) in 0..1."""
    if name == "pixels":
        return Pixels(network, pictures)
    size = (pictures.shape[2], pictures.shape[3])
    logits = torch.logit(pictures, eps=PHOTO_MARGIN)
    planes = torch.einsum("ij,bjhw->bihw", colour_matrix().inverse().to(pictures.device), logits)
    spectrum = torch.fft.rfft2(planes * SPECTRUM_DIVISOR) / spectrum_scale(*size).to(pictures.device)
    return Fourier(network, torch.view_as_real(spectrum).contiguous(), size)
