"""Recipes: all settings of one way to optimise a picture, as data. No torch here.

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

from konvolut.asked.terms import Objective
from konvolut.errors import UserError, nearest

# What the rule precision measures on the device at hand; and pictures in a batch where nothing was measured: a CPU
# gains less than a tenth beyond.
AUTO, AT_ONCE = "auto", 8
# Pictures of channels from noise: the rule channels, and the same rule with other objectives, off by default.
FROM_NOISE = ("channels", "neuron", "negative", "diversity", "maco")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a picture is optimised; a photograph as start, where there is one, is no part of it.

    Units: `learning_rate` and `weight_decay` as the named optimiser takes them; `keep_every` steps between kept
    intermediates (0: none); `size_px` the side of the square picture (photographs keep their own);
    `fields` the side in receptive fields of the layer, where that is smaller (0: always `size_px`);
    `coarse_px` the longer side that the model sees in the first `coarse_steps`, where the layer's receptive field
    covers the picture (Fourier only, its low frequencies); `decay` of amplitude with frequency (parameters.py);
    `decorrelate` whether colours are mixed as photographs mix them (Fourier only);
    `window` the side in cells of the squares of whose cells `peaks` counts the most excited;
    `variants` the pictures of one unit, made beside one another with different starts;
    `crops` random parts of the picture that the model sees per step, smaller and smaller (0: the whole picture once),
    and `noise` the deviation of the noise on them, of the normalised input; they take the place of `transforms`,
    pairs (name, amount) in the order of application, see transforms.py;
    `step_size` steps between two falls of the rate by `gamma` (schedule stairs); `l1` and `l2` the weights of the sums
    of |x| and x² of the normalised input, taken off the objective; `clip` keeps pixels between black and white;
    `octaves` sizes of the picture, each `octave_scale` times the one before, `steps` for each (pixels only);
    `units_per_batch` pictures that are made beside one another, which does not change them, and `precision` in which
    the model runs: what is fastest on the device at hand, by the rule precision, where they are auto.
    Pictures that are small because their layer sees little are climbed faster, with wider windows, in float32, those
    of stems without `decorrelate`; whole ones without coarse steps faster, too (fitting in techniques/channels.py).
    Values, pictures, objectives and scores are float32 in any case.
    """

    name: str
    parameterisation: str = "fourier"  # pixels | fourier | maco
    objective: Objective = (("mean", 1.0),)  # terms and weights, see terms.py
    start: str = "grey"  # grey | normal | zero: pixels where no photograph is the start
    optimiser: str = "adam"  # sgd | adam | nadam | normalised
    learning_rate: float = 0.05
    schedule: str = "constant"  # constant | cosine | stairs
    step_size: int = 100
    gamma: float = 0.6
    weight_decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    clip: bool = False
    steps: int = 128
    keep_every: int = 32
    size_px: int = 224
    fields: float = 0.0
    coarse_px: int = 0
    coarse_steps: int = 0
    octaves: int = 1
    octave_scale: float = 1.4
    decay: float = 1.0
    decorrelate: bool = True
    window: int = 2
    padding: str = "grey"  # grey | wrap
    transforms: tuple[tuple[str, float], ...] = ()
    crops: int = 0
    noise: float = 0.0
    variants: int = 1
    units_per_batch: int | str = AUTO
    precision: str = AUTO  # float32 | bfloat16 | auto
    retries: int = 3

    def __post_init__(self) -> None:
        if self.coarse_steps and self.parameterisation != "fourier":
            raise UserError(f"recipe {self.name!r}: coarse_steps needs parameterisation fourier")
        if self.octaves > 1 and self.parameterisation != "pixels":
            raise UserError(f"recipe {self.name!r}: octaves needs parameterisation pixels")

    @property
    def at_once(self) -> int:
        """Pictures in a batch."""
        return AT_ONCE if self.units_per_batch == AUTO else int(self.units_per_batch)

    def told(self) -> dict:
        """What a passport says: everything that could change a picture, and so not how many were made at once."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "units_per_batch"}


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
    return dataclasses.replace(own, **({"coarse_steps": coarse} | changes))
