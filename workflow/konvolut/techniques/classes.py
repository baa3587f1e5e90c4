"""Pictures of classes: from noise, the score of a class raised until the model takes the picture for it.

The objective is that of Simonyan et al. 2013 (arXiv 1312.6034), score(x) - weight * sum of x² (l2) or of |x| (l1) of
the normalised picture x, or the score alone (none); recipe `timm-vis` takes timm-vis' steps. Where a probability was
asked for, the climb ends as soon as the picture *as saved*, in 8 bits, has it.

They climb as pictures of channels do (ascent.py): many beside one another, dead ones by the same ladder.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec, last_layer
from konvolut.asked.recipes import Recipe
from konvolut.asked.shards import ClassesShard, told
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.classes import class_number
from konvolut.network.streamline import streamlined
from konvolut.pictures.ascent import UnitStart, ascend
from konvolut.pictures.scores import recognised
from konvolut.pictures.watch import SCORES, Watch
from konvolut.results import contents
from konvolut.results.part import Part
from konvolut.techniques.channels import attempt_seeds, fitting, side_px


def render(
    shard: ClassesShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the pictures of a shard's classes to `output` (store.py draws it)."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names:
        raise UserError(f"classes: model {shard.model.id!r} has no classes (num_classes is 0)")
    targets = [class_number(target, network.class_names, "classes: targets") for target in shard.targets]
    network, whole = streamlined(network, SCORES), whole_model(last_layer(Path(census)), network)
    side = side_px(network, whole, shard.recipe)
    shard = dataclasses.replace(shard, recipe=fitting(shard.recipe, network, whole, (side, side)))
    of_all = {name: value for name, value in told(shard).items() if name not in ("targets", "regularisation")}
    facts = network.facts() | of_all | {"side_px": side}
    passport = provenance.passport(technique="classes", code=provenance.code_digest("techniques.classes"), **facts)
    wanted = {f"{target}-{name}": (target, name) for target in targets for name in shard.regularisation}
    part = Part(output, "classes", passport, list(wanted), progress)
    for name in shard.regularisation:
        left = [wanted[key][0] for key in part.missing() if wanted[key][1] == name]
        if left:
            climb(network, whole, left, shard, name, side, part.keep)
    part.finish()


def whole_model(end: LayerSpec, network: models.Network) -> LayerSpec:
    """What a model puts out, as a layer with a channel per class that sees what its last layer sees."""
    return dataclasses.replace(end, name=SCORES, layout="bc", channels=len(network.class_names), height=1, width=1)


def climb(
    network: models.Network,
    whole: LayerSpec,
    targets: list[int],
    shard: ClassesShard,
    regularisation: str,
    side: int,
    keep: Callable[[dict[str, contents.ClassPicture]], None],
) -> None:
    """Make the pictures of some classes with one regularisation; `keep` is told of each batch, by name."""
    recipe = regularised(shard.recipe, regularisation, shard)
    units = [class_start(shard, target) for target in targets]

    def keep_batch(first: int, made: contents.Pictures) -> None:
        seeds = [unit.seeds[0] for unit in units[first : first + len(made.channel)]]
        found = class_pictures(network, made, seeds, recipe, regularisation)
        keep({f"{one.target_class}-{regularisation}": one for one in found})

    ascend(network, whole, units, recipe, (side, side), keep_batch)


def class_start(shard: ClassesShard, target: int) -> UnitStart:
    """The picture of one class to make, its seeds by the class alone."""
    seeds = attempt_seeds(shard.seed, shard.model.id, "", target, "classes")
    return UnitStart(target, seeds, is_class=True, enough=shard.min_prob)


def regularised(recipe: Recipe, name: str, shard: ClassesShard) -> Recipe:
    """The recipe with the weight of one regularisation: none, l1 or l2."""
    strengths = {"none": {}, "l1": {"l1": shard.l1_strength}, "l2": {"l2": shard.l2_strength}}
    return dataclasses.replace(recipe, **strengths[name])


def class_pictures(
    network: models.Network, made: contents.Pictures, seeds: list[int], recipe: Recipe, regularisation: str
) -> list[contents.ClassPicture]:
    """A finished batch, each picture with what the model says to it, and as long as it climbed."""
    classes, pictures = torch.from_numpy(made.channel).long().to(network.device), torch.from_numpy(made.picture)
    probability = Watch(network, classes, [None] * len(classes)).of(pictures).cpu().numpy()
    held_out = recognised(network, pictures, classes, seeds)
    found = []
    for row, target in enumerate(map(int, made.channel)):
        steps = int(np.isfinite(made.watched[row]).sum()) - 1
        count = steps // recipe.keep_every if recipe.keep_every else 0
        found.append(
            contents.ClassPicture(
                target_class=target,
                target_name=network.class_names[target],
                regularisation=regularisation,
                picture=made.picture[row],
                probability=float(probability[row]),
                steps=steps,
                step=made.step[:count],
                intermediate=made.intermediate[row, :count],
                curve=made.curve[row, : steps + 1],
                probabilities=made.watched[row, : steps + 1],
                activation=made.activation[row],
                held_out=held_out[row],
                attempt=int(made.attempt[row]),
            )
        )
    return found
