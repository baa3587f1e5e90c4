"""Pictures of classes: from noise, the score of a class raised until the model takes the picture for it.

The objective is that of Simonyan et al. 2013 (arXiv 1312.6034), score(x) - weight * sum of x² (l2) or of |x| (l1) of
the normalised picture x, or the score alone (none); recipe `timm-vis` takes timm-vis' steps. Where a probability was
asked for, the climb ends as soon as the picture *as saved*, in 8 bits, has it.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import ClassesShard, told
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.classes import class_number
from konvolut.network.photographs import as_inputs
from konvolut.network.streamline import narrowed, streamlined
from konvolut.pictures.ascent import moved
from konvolut.pictures.climb import Looks, Scene, Start, climb, to_u8
from konvolut.pictures.health import rises
from konvolut.pictures.objectives import Seen, summed
from konvolut.pictures.parameters import start_noise
from konvolut.results import contents
from konvolut.results.part import Part
from konvolut.techniques.channels import attempt_seeds, coarse_size, fitting, side_px
from konvolut.techniques.patches import last_layer

SCORES = ""  # the whole model, as named_modules() calls it


def render(
    shard: ClassesShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the pictures of a shard's classes to `output` (store.py draws it)."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names:
        raise UserError(f"classes: model {shard.model.id!r} has no classes (num_classes is 0)")
    targets = [class_number(target, network.class_names, "classes: targets") for target in shard.targets]
    network, end = streamlined(network, SCORES), last_layer(Path(census))
    side = side_px(network, end, shard.recipe)
    shard = dataclasses.replace(shard, recipe=fitting(shard.recipe, network, end, (side, side)))
    of_all = {name: value for name, value in told(shard).items() if name not in ("targets", "regularisation")}
    facts = network.facts() | of_all | {"side_px": side}
    passport = provenance.passport(technique="classes", code=provenance.code_digest("techniques.classes"), **facts)
    wanted = {f"{target}-{name}": (target, name) for target in targets for name in shard.regularisation}
    part = Part(output, "classes", passport, list(wanted), progress)
    for key in part.missing():
        target, name = wanted[key]
        recipe = regularised(shard.recipe, name, shard)
        found = risen(network, end, target, recipe, shard, side)
        part.keep({key: dataclasses.replace(found, regularisation=name)})
    part.finish()


def risen(
    network: models.Network, end: LayerSpec, target: int, recipe: Recipe, shard: ClassesShard, side: int
) -> contents.ClassPicture:
    """The picture of one class, made again from other noise as often as the recipe says while its score stays low.

    Nothing leaks as it does for channels (ascent.py): between a score and its weights there is no ReLU to be off.
    """
    seeds = attempt_seeds(shard.seed, shard.model.id, "", target, "classes")
    for seed in seeds[: 1 + recipe.retries]:
        found = picture(network, end, target, recipe, seed, shard.min_prob, side)
        if found.steps < recipe.steps or rises(found.curve):
            break
    return found


def regularised(recipe: Recipe, name: str, shard: ClassesShard) -> Recipe:
    """The recipe with the weight of one regularisation: none, l1 or l2."""
    strengths = {"none": {}, "l1": {"l1": shard.l1_strength}, "l2": {"l2": shard.l2_strength}}
    return dataclasses.replace(recipe, **strengths[name])


class Watch:
    """Notes a class' probability at each step; ends the climb when the 8-bit picture has what was asked for."""

    def __init__(self, network: models.Network, target: int, min_prob: float | None) -> None:
        self.network, self.target, self.min_prob = network, target, min_prob
        self.probabilities: list[float] = []

    def __call__(self, looks: Looks, start: Start) -> bool:
        scores = looks[SCORES].output.detach()[:, :, 0, 0]
        self.probabilities.append(float(scores.softmax(1)[0, self.target]))
        if self.min_prob is None:
            return False
        return self.probabilities[-1] >= self.min_prob and self.of(to_u8(start.pictures())) >= self.min_prob

    @torch.no_grad()
    def of(self, pictures_u8: torch.Tensor) -> float:
        """The class' probability for one finished picture (1, H, W, 3) uint8."""
        return float(self.network.module(as_inputs(self.network, pictures_u8.numpy())).softmax(1)[0, self.target])


def picture(
    network: models.Network, end: LayerSpec, target: int, recipe: Recipe, seed: int, min_prob: float | None, side: int
) -> contents.ClassPicture:
    """The picture of one class; `end` is the model's last layer."""
    generator = torch.Generator().manual_seed(seed)
    start = start_noise(recipe, network, [generator], (side, side))
    watch, lean = Watch(network, target, min_prob), narrowed(network, recipe.precision)
    scene = Scene(
        forward=lambda view: {SCORES: _seen(lean.module(view).float())},
        objective=summed(recipe.objective, SCORES, torch.tensor([target], device=network.device)),
        matrices=moved(recipe, [generator], network.device),
        coarse=coarse_size(end, recipe, (side, side)),
        is_enough=watch,
    )
    run = climb(start, scene, recipe)
    kept = torch.cat(run.kept).numpy() if run.kept else np.empty((0, side, side, 3), np.uint8)
    return contents.ClassPicture(
        target_class=target,
        target_name=network.class_names[target],
        regularisation="none",
        picture=run.pictures[0].numpy(),
        probability=watch.of(run.pictures),
        steps=len(run.curve) - 1,
        step=np.arange(1, len(kept) + 1, dtype=np.int32) * recipe.keep_every,
        intermediate=kept,
        curve=run.curve[:, 0].float().cpu().numpy(),
        probabilities=np.array(watch.probabilities, np.float32),
    )


def _seen(scores: torch.Tensor) -> Seen:
    cells = scores[:, :, None, None]
    return Seen(cells, cells, (1, 1))
