"""Recipes: all settings of one way to optimise a picture, as data. No torch here.

Sources: `lab` is the lab notebook on DeepDream (grey noise, plain pixels); `lucid` is tensorflow/lucid's
render_vis (Fourier, decorrelated colours, its robust transforms).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a picture is optimised.

    Units: `size_px` the side of the square picture (ignored where a photograph gives the size), `steps` optimiser steps,
    `learning_rate` and `weight_decay` as the named optimiser takes them, `keep_every` steps between kept intermediates
    (0: none). `transforms` is a tuple of (name, argument) in the order of application.
    """

    name: str
    parameterisation: str  # pixels | fourier
    start: str  # grey | spectrum | photograph
    optimiser: str  # sgd | adam
    learning_rate: float
    weight_decay: float
    steps: int
    keep_every: int
    size_px: int
    transforms: tuple[tuple[str, float], ...] = ()
