"""Parameterisations: what the optimiser changes (`values`), as pictures and as the model sees them.

All hold a leaf tensor with the units of a batch along its first axis and never mix them:
`pictures()` is (B, 3, H, W), nominally in 0..1; `seen()` is the model's normalised input (B, C, H, W).

Pictures have as many planes P as the model can tell apart: one for a model of grey pictures, two, or three; a model of
more channels sees R, G, B, R, G, ..., so that what is shown and saved is what it sees.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from konvolut.asked.recipes import Recipe
from konvolut.errors import UserError
from konvolut.network.models import Network
from konvolut.network.planes import denormalise, in_colours, mixing, normalise, of_planes, planes_of, to_planes
from konvolut.pictures.priors import of_planes as priors_of_planes
from konvolut.pictures.priors import root
from konvolut.results.contents import Priors

Size = tuple[int, int]  # height, width

# Grey noise of the lab notebook: uniform between these two.
GREY_LOW, GREY_HIGH = 150 / 255, 180 / 255
# lucid: standard deviation of the spectrum at the start, and the number that the picture is divided by.
SPECTRUM_STD = 0.01
SPECTRUM_DIVISOR = 4.0
# lucid: square root of the colour covariance of ImageNet's photographs; its columns are three independent colours.
COLOUR_SQRT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
# Wave length that `decay` leaves alone: found by looking at tf_efficientnet_lite0; with longer ones pictures bleach.
UNCHANGED_WAVE_PX = 16
# Photographs are kept this far from black and white, where the sigmoid has no slope.
PHOTO_MARGIN = 0.02


class Pixels:
    """The normalised input itself, of which `values` (B, P, H, W) are the first channels; pictures may leave 0..1
    during the ascent, unless they are clipped."""

    def __init__(self, network: Network, pictures: Tensor) -> None:
        self.network = network
        values = normalise(network, pictures)[:, : planes_of(network)]
        self.values = values.contiguous(memory_format=torch.channels_last).requires_grad_()

    @classmethod
    def of_values(cls, network: Network, values: Tensor) -> "Pixels":
        """The parameterisation whose normalised inputs are given."""
        made = cls.__new__(cls)
        made.network = network
        made.values = values.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        return made

    @torch.no_grad()
    def clip(self) -> None:
        """Keep every pixel between black and white."""
        black, white = (normalise(self.network, self.values.new_full((1, 3, 1, 1), shade)) for shade in (0.0, 1.0))
        planes = self.values.shape[1]
        self.values.clamp_(black[:, :planes], white[:, :planes])

    def seen(self, size: Size | None = None) -> Tensor:
        if self.values.shape[1] == self.network.data.input_size[0]:
            return self.values
        return normalise(self.network, self.pictures())

    def pictures(self) -> Tensor:
        return denormalise(self.network, self.values)


class Fourier:
    """A spectrum in three independent colours: picture = sigmoid(colours · irfft2(values · scale) / 4).

    `values` is (B, P, H, W // 2 + 1, 2), real and imaginary part last; the scale makes all frequencies of a natural
    photograph about equally large (lucid's image.py).
    """

    def __init__(
        self, network: Network, values: Tensor, size: Size, decay: float = 1.0, decorrelate: bool = True
    ) -> None:
        self.network, self.size = network, size
        self.values = values.requires_grad_()
        scale = spectrum_scale(*size, decay).to(values.device) / SPECTRUM_DIVISOR
        self.scale = torch.stack((scale, scale), dim=-1)  # a number each: a fourth of the time of one for both parts
        self.colours = (colour_matrix if decorrelate else plain_colours)(planes_of(network)).to(values.device)

    def clip(self) -> None:
        """Nothing to do: a sigmoid stays between black and white."""

    def seen(self, size: Size | None = None) -> Tensor:
        return of_planes(self.network, self.planes(size))

    def pictures(self) -> Tensor:
        return in_colours(self.planes())

    def planes(self, size: Size | None = None) -> Tensor:
        """(B, P, h, w) of `size`: their own by default, smaller ones from the low frequencies alone."""
        values, scale = self.values, self.scale
        if size is not None and size != self.size:
            values = lowest(values, size)
            scale = lowest(scale[None, None], size)[0, 0] * (size[0] * size[1] / (self.size[0] * self.size[1]))
        spectrum = values * scale
        planes = torch.fft.irfft2(torch.view_as_complex(spectrum), s=size or self.size)
        return torch.sigmoid(mixed(planes, self.colours))


class Maco:
    """Phases alone: picture = sigmoid(standardised(colours · irfft2(magnitude · e^(i values)))), magnitude and colours
    measured on photographs (Fel et al. 2023, arXiv 2306.06805).

    `values` is (B, P, H, W // 2 + 1); `transparency` (B, H, W) adds up |d objective / d picture|, its mean over
    colours, whenever a gradient passes: how much each place mattered.
    """

    def __init__(self, network: Network, values: Tensor, size: Size, priors: Priors) -> None:
        self.network, self.size = network, size
        self.values = values.requires_grad_()
        if values.shape[1] != len(priors.mean):
            priors = priors_of_planes(priors, mixing(values.shape[1]))
        self.magnitude = fitted_magnitude(torch.from_numpy(priors.magnitude), size).to(values.device)
        self.colours = torch.from_numpy(root(priors.covariance)).float().to(values.device)
        self.transparency = torch.zeros(len(values), *size, device=values.device)

    def clip(self) -> None:
        """Nothing to do: a sigmoid stays between black and white."""

    def seen(self, size: Size | None = None) -> Tensor:
        return of_planes(self.network, self.planes())

    def pictures(self) -> Tensor:
        return in_colours(self.planes())

    def planes(self) -> Tensor:
        """(B, P, H, W)."""
        planes = torch.fft.irfft2(torch.polar(self.magnitude.expand_as(self.values), self.values), s=self.size)
        linear = mixed(planes, self.colours).flatten(1)
        linear = (linear - linear.mean(dim=1, keepdim=True)) / linear.std(dim=1, keepdim=True)
        shown = torch.sigmoid(linear).view_as(planes)
        if shown.requires_grad:
            shown.register_hook(self._note)
        return shown

    def _note(self, gradient: Tensor) -> None:
        self.transparency += gradient.abs().mean(dim=1)


def mixed(planes: Tensor, colours: Tensor) -> Tensor:
    """(B, P, H, W) of independent colours (B, P, H, W) by a matrix (P, P).

    One product of 3 rows takes a tenth of the time of 224 rows of pixels for each picture.
    """
    return torch.matmul(colours, planes.flatten(2)).view_as(planes)


def fitted_magnitude(magnitude: Tensor, size: Size) -> Tensor:
    """(C, H, W // 2 + 1): the part of a square picture's magnitude (C, S, S // 2 + 1) that a picture of `size` has."""
    side = magnitude.shape[1]
    if max(size) > side:
        raise UserError(f"priors of {side} px are too small for pictures of {max(size)} px")
    if size == (side, side):
        return magnitude
    low = lowest(magnitude[None, ..., None], size)[0, ..., 0]
    return low * (size[0] * size[1] / side**2)


def lowest(spectrum: Tensor, size: Size) -> Tensor:
    """(B, P, h, w // 2 + 1, 2): the part of (B, P, H, W // 2 + 1, 2) that a picture of the smaller `size` has."""
    rising, falling, columns = -(-size[0] // 2), size[0] // 2, size[1] // 2 + 1  # the order of torch.fft.fftfreq
    above = spectrum[:, :, spectrum.shape[2] - falling :, :columns]
    return torch.cat((spectrum[:, :, :rising, :columns], above), dim=2)


def colour_matrix(planes: int) -> Tensor:
    """(P, P): from independent colours to red, green and blue, the longest column of length 1; for fewer planes the
    root of these' covariance."""
    matrix = torch.tensor(COLOUR_SQRT)
    matrix = matrix / matrix.norm(dim=0).max()
    if planes == len(matrix):
        return matrix
    mixed_by = mixing(planes) @ matrix.numpy()
    return torch.from_numpy(root(mixed_by @ mixed_by.T)).float()


def plain_colours(planes: int) -> Tensor:
    """(P, P): red, green and blue as they are (lucid's `decorrelate=False`), of about the contrast of colour_matrix."""
    return torch.eye(planes) / planes**0.5


def frequencies(height: int, width: int) -> Tensor:
    """(H, W // 2 + 1): the length of each frequency of irfft2 in cycles per pixel."""
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])


def spectrum_scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """(H, W // 2 + 1): sqrt(w h) / max(f, 1 / max(w, h)), lucid's, times (16 f) ** (1 - decay).

    A decay of 1 is that of natural photographs. Adam steps equally far in each frequency, and there are many high
    ones: more than 1 takes from the noise and gives to large coloured shapes; waves of 16 px stay as they are.
    """
    f = frequencies(height, width).clamp(min=1 / max(width, height))
    return (width * height) ** 0.5 / f * (f * UNCHANGED_WAVE_PX) ** (1 - decay)


def start_noise(
    recipe: Recipe, network: Network, generators: Sequence[torch.Generator], size: Size, priors: Priors | None = None
) -> Pixels | Fourier | Maco:
    """The recipe's parameterisation at random starts, one generator per unit, drawn on the CPU for all devices."""
    if recipe.parameterisation == "maco":
        if priors is None:
            raise UserError(f"recipe {recipe.name!r} needs priors: what photographs have in common")
        phases = [
            torch.rand(planes_of(network), size[0], size[1] // 2 + 1, generator=generator) for generator in generators
        ]
        return Maco(network, (torch.stack(phases) * 2 - 1).mul(math.pi).to(network.device), size, priors)
    if recipe.parameterisation == "pixels":
        return _start_pixels(recipe, network, generators, size)
    shape = (planes_of(network), size[0], size[1] // 2 + 1, 2)
    noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
    return Fourier(network, (noise * SPECTRUM_STD).to(network.device), size, recipe.decay, recipe.decorrelate)


def _start_pixels(recipe: Recipe, network: Network, generators: Sequence[torch.Generator], size: Size) -> Pixels:
    """Grey noise (the lab notebook), normal noise of the normalised input (timm-vis), or its zero (Simonyan 2013)."""
    if recipe.start == "grey":
        noise = torch.stack([torch.rand(3, *size, generator=generator) for generator in generators])
        return Pixels(network, (noise * (GREY_HIGH - GREY_LOW) + GREY_LOW).to(network.device))
    drawn = [torch.randn(planes_of(network), *size, generator=generator) for generator in generators]
    spread = 1.0 if recipe.start == "normal" else 0.0
    return Pixels.of_values(network, torch.stack(drawn).mul(spread).to(network.device))


def start_pictures(recipe: Recipe, network: Network, pictures: Tensor) -> Pixels | Fourier:
    """The recipe's parameterisation that shows the given pictures (B, 3, H, W) in 0..1."""
    if recipe.parameterisation == "pixels":
        return Pixels(network, pictures)
    size = (pictures.shape[2], pictures.shape[3])
    logits = torch.logit(to_planes(network, pictures), eps=PHOTO_MARGIN)
    start = Fourier(network, torch.zeros(1, device=pictures.device), size, recipe.decay, recipe.decorrelate)
    planes = torch.einsum("ij,bjhw->bihw", start.colours.inverse(), logits)
    start.values = (torch.view_as_real(torch.fft.rfft2(planes)) / start.scale).contiguous().requires_grad_()
    return start
