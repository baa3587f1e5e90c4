"""Transforms: small random moves of the picture before the model sees it, composed to one affine warp per sample.

    jitter (px)      shift by whole pixels, -amount/2 .. amount/2 on each axis
    scale  (share)   magnify by 1 - amount .. 1 + amount, in steps of .02 (lucid)
    rotate (degrees) turn by -amount .. amount, in whole degrees (lucid)
    pad    (px)      let the model see that much beyond the picture on each side (no random number)

A matrix (2, 3) takes a pixel of the view to a pixel of the picture, both measured from their centres, x before y:
later transforms act on the view first, so the product is written in the order of application.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut.network.memory import constant

SCALE_STEP = 0.02
# MaCo: the mean side of its crops falls from half the picture to a twentieth, with this deviation; the least is ours.
FIRST_CROP, LAST_CROP, CROP_STD, LEAST_CROP = 0.5, 0.05, 0.05, 0.05
# Numbers drawn for each transform, whether it needs them or not: a recipe's draws then never depend on one another.
DRAWS = 2


def draw(transforms: Sequence[tuple[str, float]], count: int, generator: torch.Generator) -> Tensor:
    """(count, 2, 3) matrices: `count` independent draws of the composed transforms from one unit's generator (CPU)."""
    uniform = torch.rand(count, len(transforms), DRAWS, generator=generator, dtype=torch.float64)
    product = torch.eye(3, dtype=torch.float64).expand(count, 3, 3)
    for index, (name, amount) in enumerate(transforms):
        product = product @ MATRICES[name](uniform[:, index], amount)
    return product[:, :2].float()


def draw_crops(steps: int, crops: int, generator: torch.Generator, side_px: tuple[int, int]) -> Tensor:
    """(steps, crops, 2, 3): matrices that show square parts of a picture of the side `side_px[0]` to a model that sees
    `side_px[1]`, smaller from step to step (MaCo)."""
    means = torch.linspace(FIRST_CROP, LAST_CROP, steps, dtype=torch.float64)[:, None]
    drawn = torch.randn(steps, crops, generator=generator, dtype=torch.float64)
    share = (means + CROP_STD * drawn).clamp(LEAST_CROP, 1)
    uniform = torch.rand(steps, crops, 2, generator=generator, dtype=torch.float64)
    matrix = _identity(share.flatten()).unflatten(0, (steps, crops))
    matrix[..., 0, 0] = matrix[..., 1, 1] = share * side_px[0] / side_px[1]
    matrix[..., :2, 2] = (uniform - 0.5) * (1 - share[..., None]) * side_px[0]
    return matrix[..., :2, :].float()


class Crops:
    """Square parts of pictures, other ones in each step, with noise on them (MaCo); random numbers by the unit."""

    def __init__(self, matrices: Tensor, side_px: int, noise: float, generators: Sequence[torch.Generator]) -> None:
        """`matrices` (steps, B, crops, 2, 3) of draw_crops; the model sees (side_px, side_px)."""
        self.matrices, self.size, self.noise, self.generators = matrices, (side_px, side_px), noise, generators

    def of(self, pictures: Tensor, step: int) -> Tensor:
        """(B · crops, C, h, w) of normalised pictures (B, C, H, W), those of one picture beside one another."""
        matrices = self.matrices[step]
        views = warp(pictures.repeat_interleave(matrices.shape[1], 0), matrices.flatten(0, 1), self.size)
        shape = (matrices.shape[1], *views.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in self.generators])
        if views.device.type == "cuda":  # is sent while the views are computed
            noise = noise.pin_memory()
        return views + self.noise * noise.to(views.device, non_blocking=True)


def view_size(size: tuple[int, int], transforms: Sequence[tuple[str, float]]) -> tuple[int, int]:
    """Height and width of what the model sees of a picture: padding adds; jitter, lucid's random crop, takes off.

    Without padding the view is as large as the picture.
    """
    pad = sum(amount for name, amount in transforms if name == "pad")
    crop = sum(amount for name, amount in transforms if name == "jitter")
    grow = round(2 * pad - crop) if pad else 0
    return size[0] + grow, size[1] + grow


def warp(pictures: Tensor, matrices: Tensor, size: tuple[int, int], padding: str = "grey") -> Tensor:
    """(B, C, h, w) views of normalised pictures (B, C, H, W), one matrix (2, 3) each, bilinear.

    Beyond the picture lies the model's mean colour (0, "grey") or the picture again ("wrap": it is a torus).
    """
    height, width = pictures.shape[2:]
    if padding == "grey":
        # Units of grid_sample: the outermost edges (not pixel centres) are -1 and 1.
        grid = _grid(matrices.to(pictures.device), size, (2 / width, 2 / height), 0.0)
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    ringed = _Ringed.apply(pictures)
    grid = _grid(matrices.to(pictures.device), size, (1 / width, 1 / height), 0.5)  # of pictures, from the first corner
    grid -= grid.floor()
    shrunk = (2 * width / (width + 2), 2 * height / (height + 2))
    shrink = constant(shrunk, pictures.device, grid.dtype).repeat(size[1])
    grid = torch.addcmul(-shrink / 2, grid.flatten(2), shrink).view_as(grid)
    return F.grid_sample(ringed, grid, mode="bilinear", padding_mode="border", align_corners=False)


class _Ringed(torch.autograd.Function):
    """Pictures with one column and row of the other side, for pixels between the last and the first.

    The gradient is that of torch's circular padding, to the bit, in a quarter of the time.
    """

    @staticmethod
    def forward(ctx, pictures: Tensor) -> Tensor:
        return F.pad(pictures, (1, 1, 1, 1), mode="circular")

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        rows = gradient[:, :, 1:-1].clone()
        rows[:, :, 0] += gradient[:, :, -1]
        rows[:, :, -1] += gradient[:, :, 0]
        inner = rows[..., 1:-1].contiguous()
        inner[..., 0] += rows[..., -1]
        inner[..., -1] += rows[..., 0]
        return inner


def _grid(matrices: Tensor, size: tuple[int, int], units: tuple[float, float], shift: float) -> Tensor:
    """(B, h, w, 2): where a view's pixels lie, x before y, in units per pixel from the picture's centre, and a shift.

    The sum of a row and a column of complex numbers (x + iy): a twentieth of the time of affine_grid's products.
    """
    to_units = constant(units, matrices.device, matrices.dtype)
    x, y = (torch.arange(side, device=matrices.device) - (side - 1) / 2 for side in (size[1], size[0]))
    theta = matrices * to_units[:, None]
    row = theta[:, None, :, 0] * x[:, None]
    column = theta[:, None, :, 1] * y[:, None] + theta[:, None, :, 2] + shift
    row, column = (torch.view_as_complex(part.contiguous()) for part in (row, column))
    return torch.view_as_real(column[:, :, None] + row[:, None, :])


def _jitter(uniform: Tensor, amount: float) -> Tensor:
    matrix = _identity(uniform)
    matrix[:, :2, 2] = torch.floor(uniform * (amount + 1)) - amount / 2
    return matrix


def _scale(uniform: Tensor, amount: float) -> Tensor:
    matrix = _identity(uniform)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / (1 + _stepped(uniform[:, 0], amount, SCALE_STEP))
    return matrix


def _rotate(uniform: Tensor, amount: float) -> Tensor:
    angle = _stepped(uniform[:, 0], amount, 1.0) * math.pi / 180
    matrix = _identity(uniform)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return matrix


def _pad(uniform: Tensor, amount: float) -> Tensor:
    return _identity(uniform)


def _identity(uniform: Tensor) -> Tensor:
    return torch.eye(3, dtype=uniform.dtype).repeat(len(uniform), 1, 1)


def _stepped(uniform: Tensor, amount: float, step: float) -> Tensor:
    """Uniform over -amount, -amount + step, .. amount."""
    each_side = round(amount / step)
    return (torch.floor(uniform * (2 * each_side + 1)) - each_side) * step


MATRICES = {"jitter": _jitter, "scale": _scale, "rotate": _rotate, "pad": _pad}
