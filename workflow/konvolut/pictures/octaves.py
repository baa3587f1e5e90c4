"""Octaves: a picture dreamt at growing sizes, the detail of each carried up to the next (Mordvintsev et al. 2015).

    base 0 ---- / 1.4 ---> base 1 ---- / 1.4 ---> base 2        the picture, smaller and smaller
      ^                      ^                      |
      | + detail, enlarged   | + detail, enlarged   | climb, detail = climbed - base
      +---- climb <----------+---- climb <----------+

Resizing is bilinear from corner to corner, as scipy's zoom of order 1 has it, with which the seeds' authors do it.
"""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut.asked.recipes import Recipe
from konvolut.pictures.climb import Climb
from konvolut.pictures.parameters import Pixels

Size = tuple[int, int]  # height, width


def sizes(size: Size, recipe: Recipe) -> list[Size]:
    """The sizes of the octaves, the picture's own first; each side at least 1."""
    found = [size]
    while len(found) < recipe.octaves:
        found.append(tuple(max(1, round(side / recipe.octave_scale)) for side in found[-1]))
    return found


def resized(values: Tensor, size: Size) -> Tensor:
    """(B, C, h, w) of (B, C, H, W), corners on corners."""
    if tuple(values.shape[2:]) == size:
        return values
    return F.interpolate(values, size, mode="bilinear", align_corners=True)


def climb_octaves(start: Pixels, recipe: Recipe, climbed: Callable[[Pixels, Recipe, int], Climb]) -> Climb:
    """One climb after another, from the smallest octave to the picture's own size; curves and kept pictures joined.

    `climbed(start, recipe, before)` climbs at the size of its start, after `before` steps of smaller octaves.
    Objectives of different sizes cannot be compared: the curve says how far each lies above that of the undreamt
    picture of its size.
    """
    still = dataclasses.replace(recipe, steps=0)
    bases = [start.values.detach()]
    for size in sizes(tuple(bases[0].shape[2:]), recipe)[1:]:
        bases.append(resized(bases[-1], size))
    detail, runs, curves = torch.zeros_like(bases[-1]), [], []
    for number, base in enumerate(reversed(bases)):
        own = Pixels.of_values(start.network, base + resized(detail, tuple(base.shape[2:])))
        runs.append(climbed(own, recipe, number * recipe.steps))
        curves.append(runs[-1].curve - climbed(Pixels.of_values(start.network, base), still, 0).curve)
        detail = own.values.detach() - base
    start.values = own.values
    curve = torch.cat([curve[:-1] for curve in curves[:-1]] + curves[-1:])
    full = tuple(runs[-1].pictures.shape[1:3])
    return Climb(curve, [enlarged(kept, full) for run in runs for kept in run.kept], runs[-1].pictures)


def enlarged(pictures: Tensor, size: Size) -> Tensor:
    """(B, H, W, 3) uint8 at another size."""
    if tuple(pictures.shape[1:3]) == size:
        return pictures
    planes = resized(pictures.permute(0, 3, 1, 2).float(), size)
    return planes.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
