"""Objectives: one number per sample, summed from terms (terms.py) of what the model makes of each sample.

The ascent adds them up over the batch. No sample's number depends on another's input, so that batch-mates never mix;
`similarity` alone looks at the other pictures of the same unit, which lie beside one another in the batch.

Sums do what lucid's objectives add up to: a direction in the space of a layer's channels is the sum of their means,
each times its coordinate; a class is the mean of its channel of the classifier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut.asked.terms import COMPARING, OF_A_CHANNEL, Objective, Term, parse
from konvolut.errors import UserError

# Features that are all 0 have no relative distance.
TINY = 1e-12
# lucid's dot_compare: no place counts as less alike than this; by which power of its likeness a place counts, by trial
# on tf_efficientnet_lite0.
LEAST_COSINE, COSINE_POWER = 0.1, 2
# lucid: keeps the length of an all-zero Gram matrix from dividing by zero.
GRAM_EPSILON = 1e-10


@dataclass(frozen=True)
class Seen:
    """What a model makes of a batch at one layer, (B, C, H, W): its output and, before its last activation, `linear`.

    `grid` is the layer's size in cells at the model's own input, to which cells of terms refer; `known` is the output
    for the photographs to compare with.
    """

    output: Tensor
    linear: Tensor
    grid: tuple[int, int]
    known: Tensor | None = None


def own_channel(activation: Tensor, channels: Tensor) -> Tensor:
    """(B, H, W), float32 at least: sample b's map of channel channels[b]."""
    return precise(activation[torch.arange(len(channels), device=activation.device), channels])


def precise(activation: Tensor) -> Tensor:
    """The activation in float32 at least: sums of bfloat16 keep three digits."""
    return activation.to(torch.promote_types(activation.dtype, torch.float32))


def mean(maps: Tensor) -> Tensor:
    """(B,) of maps (B, H, W): their means (LAB, lucid's channel objective)."""
    return maps.mean(dim=(1, 2))


def peaks(maps: Tensor, window: int) -> Tensor:
    """(B,) of maps (B, H, W): the mean of the maxima of their squares of `window` x `window` cells.

    Each place is to hold what its best cell wants, and the cells beside it are free: the mean of a linear layer's
    channel is the response to flat colour (edges cancel), so that `mean` paints stems flat.
    """
    sides = [min(window, side) for side in maps.shape[1:]]
    return F.max_pool2d(maps[:, None], sides, ceil_mode=True).mean(dim=(1, 2, 3))


def negative(maps: Tensor) -> Tensor:
    """(B,) of linear maps (B, H, W): minus their means; an activation would hide how far below zero a unit is."""
    return -maps.mean(dim=(1, 2))


def neuron(maps: Tensor, grid: tuple[int, int], cell: tuple[int, int] | None) -> Tensor:
    """(B,): one cell of maps (B, H, W), the centre (lucid's) or the one at the place of `cell` in `grid`."""
    height, width = maps.shape[1:]
    if cell is None:
        return maps[:, height // 2, width // 2]
    row, column = cell
    if row >= grid[0] or column >= grid[1]:
        raise UserError(f"objective: cell [{row},{column}] is not in the layer's {grid[0]} x {grid[1]} cells")
    return maps[:, (2 * row + 1) * height // (2 * grid[0]), (2 * column + 1) * width // (2 * grid[1])]


def layer(activation: Tensor) -> Tensor:
    """(B,): the mean square of all channels (lucid's deepdream objective)."""
    return activation.square().mean(dim=(1, 2, 3))


def norm(activation: Tensor) -> Tensor:
    """(B,): the length of all channels (timm-vis)."""
    return activation.flatten(1).norm(dim=1)


def similarity(activation: Tensor, variants: int) -> Tensor:
    """(B,): how alike a picture's Gram matrix is to those of the unit's other pictures, the cosines summed.

    Minus 100 times it is lucid's diversity; `variants` pictures of a unit lie beside one another.
    """
    flat = activation.flatten(2).unflatten(0, (-1, variants))
    grams = torch.einsum("uvcn,uvdn->uvcd", flat, flat).flatten(2)
    grams = grams / grams.norm(dim=2, keepdim=True).clamp(min=GRAM_EPSILON**0.5)
    cosines = grams @ grams.transpose(1, 2)
    return (cosines.sum(dim=2) - cosines.diagonal(dim1=1, dim2=2)).flatten()


def distance(activation: Tensor, known: Tensor) -> Tensor:
    """(B,): the squared distance of all channels to the photograph's, as a share of the photograph's squared length."""
    squares = (activation - known).square().sum(dim=(1, 2, 3))
    return squares / known.square().sum(dim=(1, 2, 3)).clamp(min=TINY)


def caricature(activation: Tensor, known: Tensor) -> Tensor:
    """(B,): the mean over all cells of x · y cos(x, y)², x and y the channels there and those of the photograph.

    The more of what is there already, the better (lucid's dot_compare).
    """
    products = (activation * known).sum(dim=1)
    lengths = activation.norm(dim=1) * known.norm(dim=1)
    cosines = products / lengths.clamp(min=TINY)
    return (products * cosines.clamp(min=LEAST_COSINE) ** COSINE_POWER).mean(dim=(1, 2))


def summed(
    objective: Objective, own_layer: str, channels: Tensor, variants: int = 1, window: int = 1
) -> Callable[[Mapping[str, Seen]], Tensor]:
    """A function from layers to the objective (B,) of samples with own channels (B,); `window` is for peaks."""
    terms = [(parse(text), weight) for text, weight in objective]

    def evaluate(seen: Mapping[str, Seen]) -> Tensor:
        values = [
            weight * _value(term, seen[term.layer or own_layer], channels, variants, window) for term, weight in terms
        ]
        return torch.stack(values).sum(dim=0) if values[1:] else values[0]

    return evaluate


def _value(term: Term, seen: Seen, channels: Tensor, variants: int, window: int) -> Tensor:
    if term.name == "similarity":
        return similarity(precise(seen.output), variants)
    if term.name in COMPARING:
        return {"distance": distance, "caricature": caricature}[term.name](precise(seen.output), seen.known)
    if term.name not in OF_A_CHANNEL:
        return {"layer": layer, "norm": norm}[term.name](precise(seen.output))
    source = seen.linear if term.name == "negative" else seen.output
    maps = own_channel(source, channels if term.channel is None else _everywhere(term.channel, source, channels))
    if term.name == "neuron":
        return neuron(maps, seen.grid, term.cell)
    if term.name == "peaks":
        return peaks(maps, window)
    return {"mean": mean, "negative": negative}[term.name](maps)


def _everywhere(channel: int, activation: Tensor, like: Tensor) -> Tensor:
    if channel >= activation.shape[1]:
        raise UserError(f"objective: channel {channel} is out of range, possible are 0 to {activation.shape[1] - 1}")
    return torch.full_like(like, channel)
