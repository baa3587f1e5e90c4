"""Answers Snakemake's questions from the settings and the plan: which files, and what a job may take. No torch here."""

import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping

from snakemake.exceptions import IncompleteCheckpointException

from konvolut import lease
from konvolut.asked import plan, settings
from konvolut.asked.planned import Planned
from konvolut.asked.recipes import AUTO, FROM_NOISE
from konvolut.asked.signed import signed
from konvolut.asked.told import Told

# Up to so many photographs Snakemake looks at the time of each file before a run; it keeps all of them in memory.
WATCHED_AT_MOST = 10_000

# Techniques with a file for some shards of each layer, and those with one for all layers.
BY_LAYER = (*FROM_NOISE, *plan.OF_CHANNELS, *plan.OF_LAYERS)
BY_MODEL = ("classes", "saliency", "patches", "fooling")


def per_attempt(amount: int) -> Callable:
    """A resource function: so much at the first attempt of a job, twice that at the second, and so on."""
    return signed(lambda wildcards, attempt: attempt * amount)


class Sweep:
    """Answers Snakemake's questions: which shards there are, which files each one reads and what it may take.

    `finished` returns the output of the finished checkpoint `plan`; `told` has the parameters.
    """

    def __init__(self, wanted: settings.Settings, finished: Callable) -> None:
        self.settings = wanted
        self.planned = Planned(wanted, finished)
        self.told = Told(self.planned)
        self.model = {model.key: model for model in wanted.models}
        self.any_model = "|".join(map(re.escape, self.model))  # what a wildcard may be
        self.gpus, self.cpus = len(lease.devices()), os.cpu_count() or 1
        self.gpu = int(wanted.device == "cuda" or (wanted.device == "auto" and self.gpus > 0))

    def shards(self, techniques: str | tuple[str, ...], pattern: str) -> Callable[[Mapping], list[str]]:
        """An input function: `pattern` filled with each shard of the techniques that the job's wildcards allow."""
        wanted = (techniques,) if isinstance(techniques, str) else techniques

        @signed
        def paths(wildcards) -> list[str]:
            places = [tuple(getattr(wildcards, name) for name in ("model", "layer") if hasattr(wildcards, name))]
            if len(places[0]) > 1:
                places.append((wildcards.model, ""))  # all layers at once
            rows = [row for technique in wanted for place in places for row in self.planned.rows(technique, *place)]
            return list(dict.fromkeys(pattern.format(**row) for row in rows))

        return paths

    def named_shards(self, **patterns: str) -> Callable[[Mapping], dict[str, list[str]]]:
        """An input function for unpack: for each technique named its pattern filled as `shards` does it.

        Snakemake takes as long to call an input function as to make ten paths, and does so for thousands of pages.
        """
        filled = {technique: self.shards(technique, pattern) for technique, pattern in patterns.items()}
        return signed(lambda wildcards: {technique: paths(wildcards) for technique, paths in filled.items()})

    def shards_of_all(self, technique: str, pattern: str) -> Callable[[Mapping], list[str]]:
        """An input function: `pattern` filled with each shard of `technique` of all models."""
        return lambda wildcards: [pattern.format(**row) for row in self.planned.rows(technique)]

    def photographs(self, technique: str) -> Callable[[Mapping], list[str]]:
        """An input function: the files of the photographs that a shard of `technique` reads."""
        return signed(lambda wildcards: self._watched(self.planned.photographs(technique, wildcards).photographs))

    def all_photographs(self) -> list[str]:
        """The files of all photographs."""
        return self._watched(self.settings.images)

    def _watched(self, photographs: Iterable[settings.Photograph]) -> list[str]:
        """Files whose change is a reason to compute again; none of a set that is too large to be watched."""
        few = len(self.settings.images) <= WATCHED_AT_MOST
        # Of those that are named but not there (a link that leads nowhere) the plan says so, or leaves them out.
        return [one.path for one in photographs if os.path.exists(one.path)] if few else []

    def weights(self, wildcards) -> list[str]:
        """The files that hold a model's weights: one or none."""
        path = self.model[wildcards.model].weights_path
        return [str(path)] if path else []

    def all_weights(self) -> list[str]:
        """The files that hold weights of models."""
        return [str(model.weights_path) for model in self.settings.models if model.weights_path]

    def if_maco(self, technique: str, path: str) -> list[str]:
        """The path where a technique's recipe needs priors."""
        return [path] if getattr(self.settings, technique).recipe.parameterisation == "maco" else []

    def if_auto(self, technique: str, path: str) -> list[str]:
        """The path where a technique leaves its precision or its batches to the rule precision."""
        recipe = getattr(self.settings, technique).recipe
        return [path] if AUTO in (recipe.precision, recipe.units_per_batch) else []

    def mem_mb(self, technique: str) -> Callable:
        """A resource function: megabytes for a shard, more at each attempt."""
        return signed(lambda wildcards, attempt: attempt * self._granted(technique, wildcards)["mem_mb"])

    def runtime(self, technique: str) -> Callable:
        """A resource function: minutes for a shard, more at each attempt."""
        return signed(lambda wildcards, attempt: attempt * self._granted(technique, wildcards)["runtime"])

    def _granted(self, technique: str, wildcards) -> dict:
        """What the plan grants a shard; for one that somebody names by hand, what the first of its kind gets."""
        alone = {"model": "", "layer": "", "first": "0", "last": "0"}  # of a technique with one job for a model
        names = (getattr(wildcards, name, other) for name, other in alone.items())
        try:
            return self.planned.row(technique, *names) or self.planned.rows(technique)[0]
        except IncompleteCheckpointException as error:  # a missing input is what makes Snakemake ask again later
            raise FileNotFoundError(errno.ENOENT, "not planned yet", str(error.targetfile)) from None
