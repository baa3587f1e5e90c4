"""What each job is told: the parameters of its rule, as JSON. No torch here.

A parameter that changes is what makes Snakemake run a job again, so each says what its job needs and no more.
"""

import dataclasses
import functools
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from konvolut.asked import as_json, shards
from konvolut.asked.planned import Planned
from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.sheets import ModelSource
from konvolut.asked.signed import signed
from konvolut.network.classes import told_apart

SHARDS = {
    "activations": shards.ActivationsShard,
    "examples": shards.ExamplesShard,
    "alike": shards.AlikeShard,
    "trust": shards.TrustShard,
    **dict.fromkeys(FROM_NOISE, shards.ChannelsShard),
    "dreams": shards.DreamsShard,
    "layer_dreams": shards.LayerShard,
    "accentuation": shards.AccentuationShard,
    "caricature": shards.LayerShard,
    "classes": shards.ClassesShard,
    "saliency": shards.SaliencyShard,
    "patches": shards.PatchesShard,
    "kernels": shards.KernelsShard,
    "fooling": shards.FoolingShard,
    "inversion": shards.InversionShard,
}

# Techniques whose results tell classes by their names; to the others these are no reason to compute anything again.
NAMING = ("activations", "classes", "saliency", "patches", "fooling")
# What one shard is told beside what all of its technique and model are.
OF_ONE = {"photographs", "maps", "layer", "channels", "layers", "why"}


class Told:
    """The parameters of every rule."""

    def __init__(self, planned: Planned) -> None:
        self.planned, self._asked = planned, planned.settings
        self._models = {model.key: model for model in self._asked.models}
        self._of_all_known: dict[tuple[str, str], dict] = {}
        self._pages = functools.lru_cache(maxsize=1)(self._of_pages)  # thousands of them are told the same

    def settings(self, wildcards) -> str:
        """All that the user asked for, but for the names of classes."""
        return as_json.to_json(self._asked, models=as_json.plain(tuple(map(_nameless, self._asked.models))))

    def architecture(self, wildcards) -> str:
        """Which network a model is, whatever its weights."""
        return as_json.to_json(dataclasses.replace(_nameless(self._models[wildcards.model]), weights="", folder=""))

    def model(self, wildcards) -> str:
        """What a model is."""
        return as_json.to_json(_nameless(self._models[wildcards.model]))

    def precision(self, wildcards) -> str:
        """Which model to measure on which device."""
        return as_json.to_json(shards.PrecisionShard(_nameless(self._models[wildcards.model]), self._asked.device))

    def priors(self, wildcards) -> str:
        """The photographs to measure and the side of the pictures."""
        recipes = [getattr(self._asked, name).recipe for name in FROM_NOISE]
        shard = shards.PriorsShard((), max(recipe.size_px for recipe in recipes if recipe.parameterisation == "maco"))
        return as_json.to_json(shard, photographs=self.planned.photographs("priors", wildcards).told())

    def atlas(self, wildcards) -> str:
        """What a page needs beside results."""
        again = ""
        if hasattr(wildcards, "layer"):
            again = "snakemake --cores all results/{model}/channels/{layer}/{{channel}}-{{channel}}.h5"
            again = again.format(model=shlex.quote(wildcards.model), layer=shlex.quote(wildcards.layer))
        told = self._pages(self.planned.readable())
        return told.replace('"again": ""', f'"again": {json.dumps(again, ensure_ascii=False)}')

    def _of_pages(self, photographs) -> str:
        alike_from = self._asked.alike.at_least if self._asked.alike.keep else 0
        shard = shards.AtlasShard((), self._asked.atlas, self._asked.examples.top, "", alike_from)
        names = {model.key: told_apart(model.class_names) for model in self._asked.models if model.class_names}
        return as_json.to_json(shard, photographs=photographs.told(), class_names=list(names.items()))

    def evidence(self, checkpoint, wildcards) -> str:
        """What the checkpoint `atlas_evidence` says of a layer: its digest.

        Of a new layer an old evidence, which Snakemake takes for the last word until it is made anew, says nothing.
        """
        told = json.loads(Path(checkpoint.get(model=wildcards.model).output[0]).read_text(encoding="utf-8"))
        return told.get(wildcards.layer, "")

    def shard(self, technique: str) -> Callable[[Mapping], str]:
        """A parameter function: one shard of a technique."""
        return signed(functools.partial(self._shard, technique))

    def _shard(self, technique: str, wildcards) -> str:
        key = (technique, wildcards.model)
        if key not in self._of_all_known:
            self._of_all_known[key] = self._of_all(*key)
        return as_json.in_json(self._of_all_known[key] | self._of_one(technique, wildcards))

    def _of_all(self, technique: str, model: str) -> dict:
        """What all shards of a technique and model are told, as JSON has it."""
        section, names = getattr(self._asked, technique), set(SHARDS[technique].__dataclass_fields__) - OF_ONE
        told = {key: source if technique in NAMING else _nameless(source) for key, source in self._models.items()}
        facts = {"model": told[model], "device": self._asked.device, "seed": self._asked.seed}
        facts |= {"technique": technique, "models": tuple(told.values())}
        if technique == "activations":
            facts |= {"keep": self._asked.examples.keep, "on_error": self._asked.images_on_error}
        return {name: as_json.plain(facts.get(name, getattr(section, name, None))) for name in names}

    def _of_one(self, technique: str, wildcards) -> dict:
        """What one shard is told beside that."""
        section, names = getattr(self._asked, technique), SHARDS[technique].__dataclass_fields__
        told: dict = {}
        if "photographs" in names:
            photographs = self.planned.photographs(technique, wildcards)
            told["photographs"] = photographs.told()
        if technique == "activations":
            told["maps"] = self._with_maps(photographs.photographs)
        if "layer" in names:
            told["layer"] = wildcards.layer
        if "channels" in names:
            told["channels"] = self.planned.channels(technique, wildcards)
        if "targets" in names and "photographs" not in names:  # its shards are classes
            told["targets"] = section.targets[int(wildcards.first) : int(wildcards.last) + 1]
        if "layers" in names:  # those of the plan, not the globs
            of_layers = "kernels" if technique == "kernels" else "atlas"
            told["layers"] = [row["layer"] for row in self.planned.rows(of_layers, wildcards.model)]
        return told

    def _with_maps(self, photographs: tuple) -> list[str]:
        """Ids of those whose maps are kept: asked for, or shown in the atlas."""
        asked = {*self._asked.activations.maps, *self._asked.atlas.feature_maps}
        return [photograph.id for photograph in photographs if photograph.id in asked]


def _nameless(model: ModelSource) -> ModelSource:
    """A model without the names of its classes."""
    return dataclasses.replace(model, class_names=())
