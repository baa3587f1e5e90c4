"""Answers Snakemake's questions from the settings and the plan: which files, which parameters. No torch here."""

import atexit
import dataclasses
import functools
import json
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from konvolut import folder, lease
from konvolut.asked import configfiles, plan, settings, shards, survey, targets
from konvolut.asked.outputs import PLAN, RESULTS, planned_files
from konvolut.asked.recipes import FROM_NOISE
from konvolut.errors import UserError
from konvolut.results import part

# Up to so many photographs Snakemake looks at the time of each file before a run; it keeps all of them in memory.
WATCHED_AT_MOST = 10_000

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


BESIDE_ANOTHER_RUN = "atlas_now"
# Techniques with a file for some shards of each layer, and those with one for all layers.
BY_LAYER = (*FROM_NOISE, *plan.OF_CHANNELS, *plan.OF_LAYERS)
BY_MODEL = ("classes", "saliency", "patches", "fooling")


def load_or_exit(config: dict, planned: Callable, files: Iterable[str | Path], check: bool) -> "Sweep":
    """The sweep that `config` describes; a user's mistake is printed as one sentence and ends Snakemake with status 1.

    `check` also looks at the `files` that Snakemake read `config` from, at the photographs and at named classes: for
    the process that the user started, not for each job.
    """
    try:
        for path in files if check else ():
            configfiles.read(Path(path))
        loaded = settings.load(config, Path())
        if check:
            folder.check_place(RESULTS)
            settings.check_images(loaded)
            if loaded.images_on_error == "fail":
                survey.check_whole(loaded.images, RESULTS / "photographs.tsv")
            if targets.asked(loaded):
                targets.check(loaded, targets.names_before_jobs(loaded.models, RESULTS))
    except UserError as error:
        print(f"konvolut: {error}", file=sys.stderr)
        sys.exit(1)
    return Sweep(loaded, planned)


def per_attempt(amount: int) -> Callable:
    """A resource function: so much at the first attempt of a job, twice that at the second, and so on."""
    return lambda wildcards, attempt: attempt * amount


class Sweep:
    """Answers Snakemake's questions: which shards there are and what each one is told.

    `planned` returns the output of the finished checkpoint `plan`: the paths `plan` and `photographs`.
    """

    def __init__(self, wanted: settings.Settings, planned: Callable) -> None:
        self.settings, self.planned = wanted, planned
        self.model = {model.key: model for model in wanted.models}
        self.settings_json = shards.to_json(wanted)
        self.gpus, self.cpus = len(lease.devices()), os.cpu_count() or 1
        self.gpu = int(wanted.device == "cuda" or (wanted.device == "auto" and self.gpus > 0))
        self._lock: int | None = None

    def begin(self, targets: Collection[str] = ()) -> None:
        """Before the first job: take the folder, or say in one sentence why it cannot be had and end with status 1.

        A run that only shows what another one has finished so far takes nothing.
        """
        if set(targets) == {BESIDE_ANOTHER_RUN}:
            return
        inputs = self.all_photographs() + [model.weights_path for model in self.settings.models if model.weights_path]
        try:
            atexit.register(_say_how_to_go_on)  # Snakemake tells nobody when it is interrupted twice
            self._lock = folder.begin(RESULTS, map(Path, inputs))
            part.hold(RESULTS)
        except UserError as error:
            atexit.unregister(_say_how_to_go_on)
            print(f"konvolut: {error}", file=sys.stderr)
            sys.exit(1)

    def end(self, *, is_finished: bool) -> None:
        """After the last job: what only an unfinished run needs goes; how to go on, where there is more to do."""
        atexit.unregister(_say_how_to_go_on)
        if not is_finished:
            _say_how_to_go_on()
        if self._lock is not None and PLAN.exists():  # the parts of a run beside this one are its own
            part.tidy(RESULTS, planned_files(plan.read_plan(PLAN)))

    def architecture_json(self, wildcards) -> str:
        """A parameter function: which network a model is, whatever its weights, as JSON."""
        return shards.to_json(dataclasses.replace(self.model[wildcards.model], weights="", folder=""))

    def model_json(self, wildcards) -> str:
        """A parameter function: what a model is, as JSON."""
        return shards.to_json(self.model[wildcards.model])

    def shards(self, techniques: str | tuple[str, ...], pattern: str) -> Callable[[Mapping], list[str]]:
        """An input function: `pattern` filled with each shard of the techniques that the job's wildcards allow."""
        wanted = (techniques,) if isinstance(techniques, str) else techniques

        def paths(wildcards) -> list[str]:
            known = _cached(_by_wildcards, self.planned().plan)
            places = [tuple(getattr(wildcards, name) for name in ("model", "layer") if hasattr(wildcards, name))]
            if len(places[0]) > 1:
                places.append((wildcards.model, ""))  # all layers at once
            rows = [row for technique in wanted for place in places for row in known.get((technique, *place), ())]
            return list(dict.fromkeys(pattern.format(**row) for row in rows))

        return paths

    def shards_of_all(self, technique: str, pattern: str) -> Callable[[Mapping], list[str]]:
        """An input function: `pattern` filled with each shard of `technique` of all models."""
        return lambda wildcards: [pattern.format(**row) for row in self._rows(technique).to_dict("records")]

    def photographs(self, technique: str) -> Callable[[Mapping], list[str]]:
        """An input function: the files of the photographs that a shard of `technique` reads."""
        return lambda wildcards: self._watched(self._photographs(technique, wildcards))

    def all_photographs(self) -> list[str]:
        """The files of all photographs."""
        return self._watched(self.settings.images)

    def _watched(self, photographs: Iterable[settings.Photograph]) -> list[str]:
        """Files whose change is a reason to compute again; none of a set that is too large to be watched."""
        few = len(self.settings.images) <= WATCHED_AT_MOST
        return [photograph.path for photograph in photographs] if few else []

    def identities(self, wildcards) -> list[str]:
        """The files that tell each model's classes, where the configuration names classes."""
        return [f"{RESULTS}/{key}/model.json" for key in self.model] if targets.asked(self.settings) else []

    def weights(self, wildcards) -> list[str]:
        """The files that hold a model's weights: one or none."""
        path = self.model[wildcards.model].weights_path
        return [str(path)] if path else []

    def told_atlas(self, wildcards) -> str:
        """A parameter function: what a page needs beside results, as JSON."""
        again = ""
        if hasattr(wildcards, "layer"):
            again = "snakemake --cores all results/{model}/channels/{layer}/{{channel}}-{{channel}}.h5"
            again = again.format(model=shlex.quote(wildcards.model), layer=shlex.quote(wildcards.layer))
        told = _cached(self._told_pages, self.planned().photographs)
        return told.replace('"again": ""', f'"again": {json.dumps(again, ensure_ascii=False)}')

    def _told_pages(self, path: Path) -> str:
        return shards.to_json(
            shards.AtlasShard(self._readable(path), self.settings.atlas, self.settings.examples.top, "")
        )

    def if_maco(self, technique: str, path: str) -> list[str]:
        """The path where a technique's recipe needs priors."""
        return [path] if getattr(self.settings, technique).recipe.parameterisation == "maco" else []

    def if_auto(self, technique: str, path: str) -> list[str]:
        """The path where a technique leaves its precision to the rule precision."""
        return [path] if getattr(self.settings, technique).recipe.precision == "auto" else []

    def told_precision(self, wildcards) -> str:
        """A parameter function: which model to measure on which device, as JSON."""
        return shards.to_json(shards.PrecisionShard(self.model[wildcards.model], self.settings.device))

    def told_priors(self, wildcards) -> str:
        """A parameter function: the photographs to measure and the side of the pictures, as JSON."""
        photographs = tuple(self._photographs("priors", wildcards))
        asked = [getattr(self.settings, name).recipe for name in FROM_NOISE if self.if_maco(name, "needed")]
        return shards.to_json(shards.PriorsShard(photographs, max(recipe.size_px for recipe in asked)))

    def told(self, technique: str) -> Callable[[Mapping], str]:
        """A parameter function: the shard as JSON."""
        return functools.partial(self._told, technique)

    def mem_mb(self, technique: str) -> Callable:
        """A resource function: megabytes for a shard, more at each attempt."""
        return lambda wildcards, attempt: attempt * self._asked(technique, wildcards)["mem_mb"]

    def runtime(self, technique: str) -> Callable:
        """A resource function: minutes for a shard, more at each attempt."""
        return lambda wildcards, attempt: attempt * self._asked(technique, wildcards)["runtime"]

    def _asked(self, technique: str, wildcards) -> dict:
        """What the plan grants a shard; for one that somebody names by hand, what the first of its kind gets."""
        rows = _cached(_by_shard, self.planned().plan)
        names = (getattr(wildcards, name, "") for name in ("model", "layer", "first", "last"))
        return rows.get((technique, *names)) or rows[technique]

    def _told(self, technique: str, wildcards) -> str:
        section, kind = getattr(self.settings, technique), SHARDS[technique]
        facts = {"model": self.model[wildcards.model], "device": self.settings.device, "seed": self.settings.seed}
        facts["technique"] = technique
        names = set(kind.__dataclass_fields__) - {"why"}
        if "photographs" in names:
            facts["photographs"] = tuple(self._photographs(technique, wildcards))
        if technique == "trust":
            facts["models"] = self.settings.models
        if technique == "activations":
            facts |= self._asked_of_activations(facts["photographs"])
        if "layer" in names:
            facts["layer"] = wildcards.layer
        if "channels" in names:
            facts["channels"] = self._channels(technique, wildcards)
        if "targets" in names and "photographs" not in names:  # its shards are classes
            facts["targets"] = section.targets[int(wildcards.first) : int(wildcards.last) + 1]
        if "layers" in names:  # those of the plan, not the globs
            rows = self._rows("kernels" if technique == "kernels" else "atlas")
            facts["layers"] = tuple(rows.query("model == @wildcards.model")["layer"])
        return shards.to_json(kind(**{name: facts.get(name, getattr(section, name, None)) for name in names}))

    def _asked_of_activations(self, photographs: tuple) -> dict:
        """What other sections want of activations; maps are also kept of the photographs whose maps are shown."""
        asked = {*self.settings.activations.maps, *self.settings.atlas.feature_maps}
        maps = tuple(photograph.id for photograph in photographs if photograph.id in asked)
        return {"maps": maps, "keep": self.settings.examples.keep, "on_error": self.settings.images_on_error}

    def _photographs(self, technique: str, wildcards) -> list:
        images = _cached(self._readable, self.planned().photographs)
        if technique in plan.ON_CHOSEN_IMAGES:
            images = [image for image in images if image.id in getattr(self.settings, technique).images]
        if hasattr(wildcards, "first") and technique not in plan.OF_CHANNELS:  # whose shards are channels
            return list(images[int(wildcards.first) : int(wildcards.last) + 1])
        return list(images)

    def _readable(self, path: Path) -> tuple:
        return survey.readable(self.settings.images, survey.read_survey(path))

    def _rows(self, technique: str) -> pd.DataFrame:
        rows = _cached(plan.read_plan, self.planned().plan)
        return rows[rows["technique"] == technique]

    def _channels(self, technique: str, wildcards) -> tuple[int, ...]:
        """The channels of a shard of the plan; of any other range that somebody asks for, all from first to last."""
        names = (wildcards.model, wildcards.layer, wildcards.first, wildcards.last)
        row = _cached(_by_shard, self.planned().plan).get((technique, *names))
        span = range(int(wildcards.first), int(wildcards.last) + 1)
        return plan.parse_channels(row["channels"]) if row else tuple(span)


def _say_how_to_go_on() -> None:
    print(
        "konvolut: the run ended before everything was done; what is finished is kept, down to the last batch,"
        " and the same command goes on from there",
        file=sys.stderr,
    )


def _cached(read: Callable[[Path], pd.DataFrame], path: str) -> pd.DataFrame:
    """A table that thousands of jobs ask for, read again only when its file has changed."""
    return _read_once(read, Path(path), Path(path).stat().st_mtime_ns)


def _by_shard(path: Path) -> dict:
    """Rows of the plan by technique, model, layer, first and last (as wildcards), and the first of each technique."""
    found = {}
    for row in plan.read_plan(path).to_dict("records"):
        found.setdefault(row["technique"], row)
        found[row["technique"], row["model"], row["layer"], str(row["first"]), str(row["last"])] = row
    return found


def _by_wildcards(path: Path) -> dict[tuple, list[dict]]:
    """Rows of the plan, in its order, by technique; by technique and model; by technique, model and layer."""
    found: dict[tuple, list[dict]] = {}
    for row in plan.read_plan(path).to_dict("records"):
        names = (row["technique"], row["model"], row["layer"])
        for count in (1, 2, 3):
            found.setdefault(names[:count], []).append(row)
    return found


@functools.lru_cache(maxsize=8)
def _read_once(read: Callable[[Path], pd.DataFrame], path: Path, _mtime_ns: int) -> pd.DataFrame:
    return read(path)
