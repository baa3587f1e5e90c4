"""Answers Snakemake's questions from the settings and the plan: which files, which parameters. No torch here."""

import atexit
import dataclasses
import errno
import functools
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd
from snakemake.exceptions import IncompleteCheckpointException

from konvolut import folder, lease
from konvolut.asked import chosen, configfiles, plan, settings, shards, survey, targets
from konvolut.asked.outputs import PLAN, RESULTS, planned_files
from konvolut.asked.recipes import AUTO, FROM_NOISE
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

# What one shard is told beside what all of its technique and model are.
OF_ONE = {"photographs", "maps", "layer", "channels", "layers", "why"}

BESIDE_ANOTHER_RUN = "atlas_now"
# Techniques with a file for some shards of each layer, and those with one for all layers.
BY_LAYER = (*FROM_NOISE, *plan.OF_CHANNELS, *plan.OF_LAYERS)
BY_MODEL = ("classes", "saliency", "patches", "fooling")


def read_or_exit(file: str, check: bool) -> str:
    """The name of a configuration file that Snakemake can read; its own complaint names neither file nor line."""
    try:
        if check and Path(file).exists():
            configfiles.read(Path(file))
    except UserError as error:
        print(f"konvolut: {error}", file=sys.stderr)
        sys.exit(1)
    return file


def load_or_exit(config: dict, files: Iterable[str | Path], planned: Callable, check: bool) -> "Sweep":
    """The sweep that `config` describes; a user's mistake is printed as one sentence and ends Snakemake with status 1.

    `check` also looks at the `files` that Snakemake read `config` from, at the photographs and at named classes: for
    the process that the user started, not for each job.
    """
    try:
        for path in files if check else ():
            configfiles.read(Path(path))
        loaded = settings.load(config, Path())
        if check:
            folder.check_writable(folder.LOCK.parent)  # where Snakemake itself takes notes, also of a dry run
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
        self.settings = wanted
        self.planned = functools.cache(planned)  # Snakemake takes its time to say it; what is planned stays so
        self._told_all: dict[tuple[str, str], dict] = {}
        self.model = {model.key: model for model in wanted.models}
        self.any_model = "|".join(map(re.escape, self.model))  # what a wildcard may be
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

    def named_shards(self, **patterns: str) -> Callable[[Mapping], dict[str, list[str]]]:
        """An input function for unpack: for each technique named its pattern filled as `shards` does it.

        Snakemake takes as long to call an input function as to make ten paths, and does so for thousands of pages.
        """
        filled = {technique: self.shards(technique, pattern) for technique, pattern in patterns.items()}
        return lambda wildcards: {technique: paths(wildcards) for technique, paths in filled.items()}

    def shards_of_all(self, technique: str, pattern: str) -> Callable[[Mapping], list[str]]:
        """An input function: `pattern` filled with each shard of `technique` of all models."""
        return lambda wildcards: [pattern.format(**row) for row in self._rows(technique).to_dict("records")]

    def photographs(self, technique: str) -> Callable[[Mapping], list[str]]:
        """An input function: the files of the photographs that a shard of `technique` reads."""
        return lambda wildcards: self._watched(self._photographs(technique, wildcards).photographs)

    def all_photographs(self) -> list[str]:
        """The files of all photographs."""
        return self._watched(self.settings.images)

    def _watched(self, photographs: Iterable[settings.Photograph]) -> list[str]:
        """Files whose change is a reason to compute again; none of a set that is too large to be watched."""
        few = len(self.settings.images) <= WATCHED_AT_MOST
        return [photograph.path for photograph in photographs] if few else []

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

    def evidence(self, checkpoint, wildcards) -> str:
        """What the checkpoint `atlas_evidence` says of a layer: its digest."""
        told = json.loads(Path(checkpoint.get(model=wildcards.model).output[0]).read_text(encoding="utf-8"))
        return told[wildcards.layer]

    def _told_pages(self, path: Path) -> str:
        alike_from = self.settings.alike.at_least if self.settings.alike.keep else 0
        shard = shards.AtlasShard((), self.settings.atlas, self.settings.examples.top, "", alike_from)
        return shards.to_json(shard, photographs=self._readable(path).told())

    def if_maco(self, technique: str, path: str) -> list[str]:
        """The path where a technique's recipe needs priors."""
        return [path] if getattr(self.settings, technique).recipe.parameterisation == "maco" else []

    def if_auto(self, technique: str, path: str) -> list[str]:
        """The path where a technique leaves its precision or its batches to the rule precision."""
        recipe = getattr(self.settings, technique).recipe
        return [path] if AUTO in (recipe.precision, recipe.units_per_batch) else []

    def told_precision(self, wildcards) -> str:
        """A parameter function: which model to measure on which device, as JSON."""
        return shards.to_json(shards.PrecisionShard(self.model[wildcards.model], self.settings.device))

    def told_priors(self, wildcards) -> str:
        """A parameter function: the photographs to measure and the side of the pictures, as JSON."""
        asked = [getattr(self.settings, name).recipe for name in FROM_NOISE if self.if_maco(name, "needed")]
        shard = shards.PriorsShard((), max(recipe.size_px for recipe in asked))
        return shards.to_json(shard, photographs=self._photographs("priors", wildcards).told())

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
        try:
            rows = _cached(_by_shard, self.planned().plan)
        except IncompleteCheckpointException as error:  # a missing input is what makes Snakemake ask again later
            raise FileNotFoundError(errno.ENOENT, "not planned yet", str(error.targetfile)) from None
        alone = {"model": "", "layer": "", "first": "0", "last": "0"}  # of a technique with one job for a model
        names = (getattr(wildcards, name, other) for name, other in alone.items())
        return rows.get((technique, *names)) or rows[technique]

    def _told(self, technique: str, wildcards) -> str:
        key = (technique, wildcards.model)
        if key not in self._told_all:
            self._told_all[key] = self._of_all(*key)
        return shards.in_json(self._told_all[key] | self._of_one(technique, wildcards))

    def _of_all(self, technique: str, model: str) -> dict:
        """What all shards of a technique and model are told, as JSON has it."""
        section, names = getattr(self.settings, technique), set(SHARDS[technique].__dataclass_fields__) - OF_ONE
        facts = {"model": self.model[model], "device": self.settings.device, "seed": self.settings.seed}
        facts |= {"technique": technique, "models": self.settings.models}
        if technique == "activations":
            facts |= {"keep": self.settings.examples.keep, "on_error": self.settings.images_on_error}
        return {name: shards.plain(facts.get(name, getattr(section, name, None))) for name in names}

    def _of_one(self, technique: str, wildcards) -> dict:
        """What one shard is told beside that."""
        section, names = getattr(self.settings, technique), SHARDS[technique].__dataclass_fields__
        told: dict = {}
        if "photographs" in names:
            photographs = self._photographs(technique, wildcards)
            told["photographs"] = photographs.told()
        if technique == "activations":
            told["maps"] = self._with_maps(photographs.photographs)
        if "layer" in names:
            told["layer"] = wildcards.layer
        if "channels" in names:
            told["channels"] = self._channels(technique, wildcards)
        if "targets" in names and "photographs" not in names:  # its shards are classes
            told["targets"] = section.targets[int(wildcards.first) : int(wildcards.last) + 1]
        if "layers" in names:  # those of the plan, not the globs
            known = _cached(_by_wildcards, self.planned().plan)
            of_layers = "kernels" if technique == "kernels" else "atlas"
            told["layers"] = [row["layer"] for row in known.get((of_layers, wildcards.model), ())]
        return told

    def _with_maps(self, photographs: tuple) -> list[str]:
        """Ids of those whose maps are kept: asked for, or shown in the atlas."""
        asked = {*self.settings.activations.maps, *self.settings.atlas.feature_maps}
        return [photograph.id for photograph in photographs if photograph.id in asked]

    def _photographs(self, technique: str, wildcards) -> chosen.Photographs:
        images = _cached(self._readable, self.planned().photographs)
        if technique in plan.ON_CHOSEN_IMAGES:
            images = images.only(getattr(self.settings, technique).images)
        if hasattr(wildcards, "first") and technique not in plan.OF_CHANNELS:  # whose shards are channels
            return images.between(int(wildcards.first), int(wildcards.last))
        return images

    def _readable(self, path: Path) -> chosen.Photographs:
        table = survey.read_survey(path)
        row_of = {key: row for row, key in enumerate(table["key"])}
        images = survey.readable(self.settings.images, table)
        return chosen.Photographs(images, [row_of[photograph.key] for photograph in images])

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
