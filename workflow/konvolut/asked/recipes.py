"""Recipes: all settings of one way to optimise a picture, as data; built_in.py has those with names. No torch here."""

import dataclasses

from konvolut.asked.terms import Objective
from konvolut.errors import UserError

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
