"""The ascent: pictures that excite units, many at a time, each by one run of the loop (climb.py) or one per octave.

A unit's picture does not depend on its batch-mates: every random number comes from the unit's own generator on the
CPU, the objective is per sample, and the optimisers work element by element. On CPUs with `streamlined` networks the
bits are the same for any batch: where a picture's sides are no multiples of 16, a unit's place in the batch would
decide which vector lane its numbers fall into (some functions round differently at a vector's end, and an ascent is
chaotic), so that such pictures are made one by one. Behind modules that put out a few numbers per picture (squeeze and
excitation) it decides it all the same, and pictures are the same but for rounding.

Retry ladder for a unit whose objective did not rise (attempt 0 is the recipe as it is):
    1  another seed
    2  another seed; for the first 16 steps gradients leak through ReLUs that are off (lucid's remedy for dead units)
    3  as 2 with twice the steps; curve and intermediates keep the recipe's number by taking every second step
What still does not rise keeps the picture of its last attempt; its activation says that it is dead.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut.asked.censuses import LayerSpec
from konvolut.asked.recipes import Recipe
from konvolut.asked.terms import linear_layers
from konvolut.network import record
from konvolut.network.memory import Halving
from konvolut.network.models import Network
from konvolut.network.planes import normalise
from konvolut.network.streamline import narrowed
from konvolut.pictures import octaves
from konvolut.pictures.climb import Climb, Scene, Start, climb
from konvolut.pictures.health import rises
from konvolut.pictures.leaks import leaking
from konvolut.pictures.objectives import summed
from konvolut.pictures.parameters import Maco, start_noise, start_pictures
from konvolut.pictures.scores import score
from konvolut.pictures.transforms import Crops, draw, draw_crops
from konvolut.pictures.views import viewer
from konvolut.pictures.watch import Watch
from konvolut.results.contents import Pictures, Priors, rows_of

Layers = tuple[LayerSpec, ...]  # the units' own, and others that an objective names

# The first attempt with leaking gradients, the last one, and how many times as long the last one climbs.
FIRST_LEAKING_ATTEMPT, LAST_ATTEMPT, LONGER = 2, 3, 2
# Sides that are whole multiples of this fill the vectors of a CPU (16 floats under AVX-512) for any place in the batch.
LANES = 16
# The channel of pictures that are of all channels of a layer.
WHOLE_LAYER = -1


@dataclasses.dataclass(frozen=True)
class UnitStart:
    """One picture to make: a channel, one seed per attempt, and the photograph to start from, (H, W, 3) uint8, or what
    photographs have in common (recipe maco). `known` is a photograph whose features the objective compares with.
    A class is a channel of the whole model (layer "") that is watched; `enough` is the probability that ends its climb.
    """

    channel: int
    seeds: tuple[int, ...]
    picture: np.ndarray | None = None
    priors: Priors | None = None
    known: np.ndarray | None = None
    is_class: bool = False
    enough: float | None = None


def ascend(
    network: Network,
    layers: LayerSpec | Sequence[LayerSpec],
    units: Sequence[UnitStart],
    recipe: Recipe,
    size: tuple[int, int],
    keep: Callable[[int, Pictures], None] = lambda first, made: None,
) -> Pictures:
    """Pictures (H, W) = size of `units`, those that do not rise retried by the ladder.

    `layers` is the units' own layer, followed by others that the objective names. The variants of one unit stand beside
    one another in `units` and stay together. Running out of memory halves the batch. `keep` is told of each one that is
    finished: the place of its first unit and its pictures.
    """
    layers = (layers,) if isinstance(layers, LayerSpec) else tuple(layers)
    apart = network.device.type == "cpu" and not fills_lanes(layers[0], recipe, size)
    batches = Halving(1 if apart else min(recipe.at_once, len(units)), together=recipe.variants)
    parts: list[Pictures] = []
    for first, made in batches.over(units, lambda part, _: _with_retries(network, layers, part, recipe, size)):
        parts.append(made)
        keep(first, made)
    return rows_of(parts)


def _with_retries(network: Network, layers: Layers, units: Sequence[UnitStart], recipe: Recipe, size) -> Pictures:
    """One batch of units, the dead ones (all their variants) again and again as far as recipe and ladder go."""
    result = _attempt(network, layers, units, recipe, size, attempt=0)
    for attempt in range(1, 1 + min(recipe.retries, LAST_ATTEMPT)):
        dead = {row // recipe.variants for row, curve in enumerate(result.curve) if _is_dead(curve)}
        if not dead:
            break
        rows = [row for row in range(len(units)) if row // recipe.variants in dead]
        again = _attempt(network, layers, [units[row] for row in rows], recipe, size, attempt=attempt)
        for name in result.per_unit():
            getattr(result, name)[rows] = getattr(again, name)
    return result


def _is_dead(curve: np.ndarray) -> bool:
    """Whether an objective never rose; one that was finished before its last step did."""
    return not np.isnan(curve[-1]) and not rises(curve)


def _attempt(network, layers: Layers, units: Sequence[UnitStart], recipe: Recipe, size, *, attempt: int) -> Pictures:
    if len(units) == 1 and not recipe.crops and fills_lanes(layers[0], recipe, size):
        # Libraries take another kernel for a batch of one, which rounds differently: units come in twos at least.
        twice = _attempt(network, layers, [*units, *units], recipe, size, attempt=attempt)
        return rows_of([twice], slice(1))
    stride = LONGER if attempt == LAST_ATTEMPT else 1
    stretched = {name: getattr(recipe, name) * stride for name in ("steps", "keep_every", "coarse_steps")}
    recipe = dataclasses.replace(recipe, **stretched)
    generators = [torch.Generator().manual_seed(unit.seeds[attempt % len(unit.seeds)]) for unit in units]
    channels = torch.tensor([unit.channel for unit in units], device=network.device)
    start = _start(network, units, recipe, size, generators)
    lean = narrowed(network, recipe.precision)
    watch = Watch(network, channels, [unit.enough for unit in units]) if units[0].is_class else None

    def climbed(start: Start, recipe: Recipe, before: int) -> Climb:
        scene = _scene(lean, layers, channels, recipe, tuple(start.pictures().shape[2:]), generators)
        known = _known(lean, units, tuple(start.pictures().shape[2:]))
        more = {"leaks": lambda: leaking(lean.module)} if attempt >= FIRST_LEAKING_ATTEMPT else {}
        more |= {"watch": watch} if watch else {}
        return climb(start, dataclasses.replace(scene, known=known, **more), recipe, before)

    run = octaves.climb_octaves(start, recipe, climbed) if recipe.octaves > 1 else climbed(start, recipe, 0)
    run, watched = watched_by(watch, run, recipe) if watch else (run, None)
    kept = torch.stack(run.kept, dim=1) if run.kept else torch.empty(len(units), 0, *size, 3, dtype=torch.uint8)
    return Pictures(
        channel=channels.cpu().numpy().astype(np.int32),
        picture=run.pictures.numpy(),
        step=np.arange(1, kept.shape[1] + 1, dtype=np.int32) * (recipe.keep_every // stride),
        intermediate=kept.numpy(),
        curve=run.curve[::stride].T.float().cpu().numpy(),
        activation=_activation(network, layers[0], run.pictures, channels, [unit.seeds[0] for unit in units]),
        attempt=np.full(len(units), attempt, dtype=np.int32),
        transparency=start.transparency.cpu().numpy() if isinstance(start, Maco) else None,
        watched=watched[:, ::stride] if watch else None,
    )


def watched_by(watch: Watch, run: Climb, recipe: Recipe) -> tuple[Climb, np.ndarray]:
    """The climb with each picture as it was when it was finished, its curve NaN after that, and the probabilities.

    Pictures that were not to be any more on the way are black.
    """
    noted = watch.probabilities(recipe.steps + 1)
    curve = torch.full((recipe.steps + 1, len(noted)), torch.nan, device=run.curve.device)
    curve[: len(run.curve)] = run.curve.float()
    curve[torch.from_numpy(np.isnan(noted)).T.to(curve.device)] = torch.nan
    count = recipe.steps // recipe.keep_every if recipe.keep_every else 0
    kept = [*run.kept, *(torch.zeros_like(run.pictures) for _ in range(count - len(run.kept)))]
    return dataclasses.replace(run, curve=curve, kept=kept, pictures=watch.pictures(run.pictures)), noted


def _activation(network: Network, layer: LayerSpec, pictures: Tensor, channels: Tensor, seeds: list[int]) -> np.ndarray:
    if int(channels[0]) == WHOLE_LAYER:
        return np.full((len(channels), 4), np.nan, np.float32)
    return score(network, record.truncated(network, layer), pictures, channels, seeds)


def _known(network: Network, units: Sequence[UnitStart], size: tuple[int, int]) -> Tensor | None:
    """The photographs (B, C, H, W) to compare with, normalised, at the size of an octave."""
    if units[0].known is None:
        return None
    pixels = torch.from_numpy(np.stack([unit.known for unit in units])).to(network.device).permute(0, 3, 1, 2) / 255
    return octaves.resized(normalise(network, pixels), size)


def _start(network: Network, units: Sequence[UnitStart], recipe: Recipe, size, generators) -> Start:
    if units[0].picture is None:
        return start_noise(recipe, network, generators, size, units[0].priors)
    photographs = torch.from_numpy(np.stack([unit.picture for unit in units]))
    return start_pictures(recipe, network, photographs.to(network.device).permute(0, 3, 1, 2) / 255)


def _scene(network: Network, layers: Layers, channels: Tensor, recipe: Recipe, size, generators) -> Scene:
    matrices = crops = None
    if recipe.crops:
        seen_px = network.data.input_size[1]
        parts = [draw_crops(recipe.steps + 1, recipe.crops, one, (size[0], seen_px)) for one in generators]
        crops = Crops(torch.stack(parts, dim=1).to(network.device), seen_px, recipe.noise, generators)
        channels = channels.repeat_interleave(recipe.crops)
    else:
        matrices = moved(recipe, generators, network.device)
    forward = viewer(network, layers, linear_layers(recipe.objective, layers[0].name))
    objective = summed(recipe.objective, layers[0].name, channels, recipe.variants, recipe.window)
    coarse = coarse_size(layers[0], recipe, size)
    return Scene(forward, objective, matrices, coarse, crops=crops, judged=_judged(recipe, layers[0].name, channels))


def _judged(recipe: Recipe, layer: str, channels: Tensor) -> Callable | None:
    """The objective without likeness, or None where that is all of it: pictures of a dead unit grow less alike, too."""
    rest = tuple(term for term in recipe.objective if term[0] != "similarity")
    if not rest or rest == recipe.objective or recipe.crops:
        return None
    return summed(rest, layer, channels, window=recipe.window)


def moved(recipe: Recipe, generators: Sequence[torch.Generator], device: torch.device) -> Tensor | None:
    """The warps (steps + 1, B, 2, 3) of a climb, drawn from one generator per unit; None where nothing is moved."""
    if not recipe.transforms:
        return None
    return torch.stack([draw(recipe.transforms, recipe.steps + 1, one) for one in generators], dim=1).to(device)


def fills_lanes(layer: LayerSpec, recipe: Recipe, size: tuple[int, int]) -> bool:
    """Whether pictures (H, W) = size come out the same in any batch; else they are made one at a time."""
    if recipe.octaves > 1:
        return False
    return all(side % LANES == 0 for side in (*size, *(coarse_size(layer, recipe, size) or ())))


def coarse_size(layer: LayerSpec, recipe: Recipe, size: tuple[int, int]) -> tuple[int, int] | None:
    """The size of the coarse steps' pictures at the same aspect; None for layers that do not see a whole picture."""
    longest = max(size)
    if not recipe.coarse_px or recipe.coarse_px >= longest or layer.receptive_field_px < longest:
        return None
    return round(size[0] * recipe.coarse_px / longest), round(size[1] * recipe.coarse_px / longest)
