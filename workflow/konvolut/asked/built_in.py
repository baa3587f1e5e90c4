"""The built-in recipes: what each is for, and where its numbers come from. No torch here.

Sources: `lab` is the lab notebook on DeepDream (plain pixels; grey noise or a photograph); `lucid` is
tensorflow/lucid's render_vis (Fourier, decorrelated colours, its robust transforms) with the 128 steps of lucid's batch
recipe, `diversity` its four pictures of a channel that differ; `maco` is Fel et al. 2023 (arXiv 2306.06805), for GPUs.
`konvolut` is our own, found by looking at tf_efficientnet_lite0: more decay with frequency and larger moves against
noise and grey; pictures that wrap around (no borders); small ones for layers that see little (they are looked at
magnified); half the steps at 128 px for layers that see everything (large shapes first); `peaks`, not the mean: stems
are patterns then, not flat colours.
`negative` is the same against a channel; `neuron` is for its cell in the middle, which sees no more than its
receptive field and moves less, so that it stays in the middle; `diverse` makes four pictures that differ (with lucid's
weight of -100 those of tf_efficientnet_lite0 were grey, at -3 they differ as much as at -30, in colour).
`konvolut-dream` does the same to a photograph, more gently.
`octave` and `octave-layer` are DeepDream's pyramid for one channel and for all (Mordvintsev, Olah and Tyka 2015, with
the 10 sizes x 1.4, 20 steps and .01 of its reimplementations); `accentuation` is a dream that stays near its photograph
(Hamblin et al. 2024, arXiv 2402.10039, and its weight found by looking), `caricature` lucid's, from noise.
`class` is ours for class pictures, `timm-vis` that of timm-vis: normal noise, SGD, rates in stairs.
"""

import dataclasses

from konvolut.asked.recipes import Recipe
from konvolut.errors import UserError, nearest

OCTAVES = {
    "parameterisation": "pixels",
    "optimiser": "normalised",
    "learning_rate": 0.01,
    "clip": True,
    "octaves": 10,
    "steps": 20,
    "keep_every": 40,
}
OURS = {
    "learning_rate": 0.08,
    "schedule": "cosine",
    "steps": 96,
    "keep_every": 24,
    "fields": 4.0,
    "coarse_px": 128,
    "coarse_steps": 48,
    "decay": 1.35,
    "padding": "wrap",
    "transforms": (("jitter", 32.0), ("scale", 0.2), ("rotate", 15.0)),
}
GENTLE_TRANSFORMS = (("jitter", 16.0), ("scale", 0.1), ("rotate", 5.0))
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
        ),
        Recipe(
            "diversity",
            objective=(("mean", 1.0), ("similarity", -100.0)),
            variants=4,
            transforms=LUCID_TRANSFORMS,
        ),
        Recipe("konvolut", objective=(("peaks", 1.0),), **OURS),
        Recipe(
            "neuron",
            objective=(("neuron", 1.0),),
            learning_rate=0.08,
            schedule="cosine",
            steps=96,
            keep_every=24,
            fields=1.0,
            decay=1.35,
            transforms=(("jitter", 8.0), ("scale", 0.1), ("rotate", 5.0)),
        ),
        Recipe("negative", objective=(("negative", 1.0),), **OURS),
        Recipe("diverse", objective=(("peaks", 1.0), ("similarity", -3.0)), variants=4, **OURS),
        Recipe(
            "konvolut-dream",
            objective=(("peaks", 1.0),),
            learning_rate=0.07,
            schedule="cosine",
            steps=48,
            keep_every=12,
            decay=1.35,
            transforms=GENTLE_TRANSFORMS,
        ),
        Recipe("octave", **OCTAVES),
        Recipe("octave-layer", objective=(("layer", 1.0),), **OCTAVES),
        Recipe(
            "accentuation",
            objective=(("peaks", 1.0), ("distance", -3.0)),
            learning_rate=0.07,
            schedule="cosine",
            steps=48,
            keep_every=12,
            decay=1.35,
            transforms=GENTLE_TRANSFORMS,
        ),
        Recipe(
            "caricature",
            objective=(("caricature", 1.0),),
            learning_rate=0.08,
            schedule="cosine",
            steps=64,
            keep_every=16,
            decay=1.35,
            transforms=(("jitter", 8.0), ("scale", 0.06), ("rotate", 3.0)),
        ),
        Recipe(
            "class",
            learning_rate=0.08,
            schedule="cosine",
            steps=128,
            keep_every=8,
            decay=1.35,
            padding="wrap",
            transforms=(("jitter", 32.0), ("scale", 0.2), ("rotate", 15.0)),
        ),
        Recipe(
            "timm-vis",
            parameterisation="pixels",
            start="normal",
            optimiser="sgd",
            learning_rate=10.0,
            schedule="stairs",
            gamma=0.9,
            weight_decay=5e-2,
            steps=500,
            keep_every=25,
        ),
    )
}


def named(name: str, **changes) -> Recipe:
    """The built-in recipe `name` with some of its fields changed; raises UserError.

    With fewer steps fewer are coarse, unless `coarse_steps` says how many: pictures of 48 steps, all coarse, excited
    units of lite0's blocks.4 and blocks.6 two thirds and half as much as those of 48 steps, half of them coarse. With
    more steps the coarse ones stay as many: 192 steps, 96 of them coarse, did nine tenths of what 192 with 48 did.
    """
    if name not in BUILT_IN:
        raise UserError(f"recipe {name!r} is none of {', '.join(BUILT_IN)}{nearest(name, BUILT_IN)}")
    own = BUILT_IN[name]
    steps = changes.get("steps", own.steps)
    coarse = min(own.coarse_steps, own.coarse_steps * steps // own.steps)
    if (
        changes.get("parameterisation", own.parameterisation) != "fourier"
    ):  # which alone has low frequencies to begin with
        coarse = 0
    return dataclasses.replace(own, **({"coarse_steps": coarse} | changes))
