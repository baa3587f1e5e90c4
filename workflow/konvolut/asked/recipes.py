"""Recipes: all settings of one way to optimise a picture, as data. No torch here.

Sources: `lab` is the lab notebook on DeepDream (plain pixels; grey noise or a photograph); `lucid` is
tensorflow/lucid's render_vis (Fourier, decorrelated colours, its robust transforms) with the 128 steps of lucid's batch
recipe, `diversity` its four pictures of a channel that differ; `maco` is Fel et al. 2023 (arXiv 2306.06805), for GPUs.
`konvolut` is our own, found by looking at tf_efficientnet_lite0: more decay with frequency and larger moves against
noise and grey; pictures that wrap around (no borders); small ones for layers that see little (they are looked at
magnified); half the steps at 128 px for layers that see everything (large shapes first); `peaks`, not the mean.
`konvolut-dream` does the same to a photograph, more gently.
"""

import dataclasses

from konvolut.asked.terms import Objective
from konvolut.errors import UserError, nearest


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a picture is optimised; a photograph as start, where there is one, is no part of it.

    Units: `learning_rate` and `weight_decay` as the named optimiser takes them; `keep_every` steps between kept
    intermediates (0: none); `size_px` the side of the square picture (photographs keep their own);
    `fields` the side in receptive fields of the layer, where that is smaller (0: always `size_px`);
    `coarse_px` the longer side that the model sees in the first `coarse_steps`, where the layer's receptive field
    covers the picture (Fourier only, its low frequencies); `decay` of amplitude with frequency (parameters.py);
    `variants` the pictures of one unit, made beside one another with different starts;
    `crops` random parts of the picture that the model sees per step, smaller and smaller (0: the whole picture once),
    and `noise` the deviation of the noise on them, of the normalised input; they take the place of `transforms`,
    pairs (name, amount) in the order of application, see transforms.py.
    """

    name: str
    parameterisation: str = "fourier"  # pixels | fourier | maco
    objective: Objective = (("mean", 1.0),)  # terms and weights, see terms.py
    optimiser: str = "adam"  # sgd | adam | nadam
    learning_rate: float = 0.05
    schedule: str = "constant"  # constant | cosine
    weight_decay: float = 0.0
    steps: int = 128
    keep_every: int = 32
    size_px: int = 224
    fields: float = 0.0
    coarse_px: int = 0
    coarse_steps: int = 0
    decay: float = 1.0
    padding: str = "grey"  # grey | wrap
    transforms: tuple[tuple[str, float], ...] = ()
    crops: int = 0
    noise: float = 0.0
    variants: int = 1
    units_per_batch: int = 8
    retries: int = 3

    def __post_init__(self) -> None:
        if self.coarse_steps and self.parameterisation != "fourier":
            raise UserError(f"recipe {self.name!r}: coarse_steps needs parameterisation fourier")


LUCID_TRANSFORMS = (("pad", 12.0), ("jitter", 8.0), ("scale", 0.1), ("rotate", 10.0), ("jitter", 4.0))

BUILT_IN = {
    recipe.name: recipe
    for recipe in (
        Recipe("lab", parameterisation="pixels", learning_rate=0.1, weight_decay=1e-6, steps=100, keep_every=25),
        Recipe(
            "lab-dream",
            parameterisation="pixels",
            optimiser="sgd",
            learning_rate=12.0,
            weight_decay=1e-4,
            steps=250,
            keep_every=50,
        ),
        Recipe("lucid", transforms=LUCID_TRANSFORMS),
        Recipe(
            "maco",
            parameterisation="maco",
            optimiser="nadam",
            learning_rate=1.0,
            steps=256,
            keep_every=64,
            size_px=512,
            crops=32,
            noise=0.08,
            units_per_batch=1,
        ),
        Recipe(
            "diversity",
            objective=(("mean", 1.0), ("similarity", -100.0)),
            variants=4,
            transforms=LUCID_TRANSFORMS,
        ),
        Recipe(
            "konvolut",
            objective=(("peaks", 1.0),),
            learning_rate=0.08,
            schedule="cosine",
            steps=96,
            keep_every=24,
            fields=4.0,
            coarse_px=128,
            coarse_steps=48,
            decay=1.35,
            padding="wrap",
            transforms=(("jitter", 32.0), ("scale", 0.2), ("rotate", 15.0)),
        ),
        Recipe(
            "konvolut-dream",
            objective=(("peaks", 1.0),),
            learning_rate=0.07,
            schedule="cosine",
            steps=48,
            keep_every=12,
            decay=1.35,
            transforms=(("jitter", 16.0), ("scale", 0.1), ("rotate", 5.0)),
        ),
    )
}


def named(name: str, **changes) -> Recipe:
    """The built-in recipe `name` with some of its fields changed; raises UserError."""
    if name not in BUILT_IN:
        raise UserError(f"recipe {name!r} is none of {', '.join(BUILT_IN)}{nearest(name, BUILT_IN)}")
    return dataclasses.replace(BUILT_IN[name], **changes)
