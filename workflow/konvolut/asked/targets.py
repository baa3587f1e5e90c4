"""Classes that the configuration names, held against the classes that each model has. No torch here."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from konvolut.asked import as_json
from konvolut.asked.settings import ModelSource, Settings
from konvolut.errors import UserError
from konvolut.network.classes import class_number, told_apart
from konvolut.provenance import PACKAGE

PREDICTED = "predicted"
SECTIONS = ("classes", "saliency", "fooling")


def asked(settings: Settings) -> dict[str, tuple[str | int, ...]]:
    """The classes that sections name, by section; a section without photographs to work on asks for none."""
    found = {}
    for name in SECTIONS:
        section = getattr(settings, name)
        if getattr(section, "images", settings.images):
            found[name] = tuple(one for one in section.targets if one != PREDICTED or name != "saliency")
    return {name: targets for name, targets in found.items() if targets}


def check(settings: Settings, class_names: Mapping[str, Sequence[str]]) -> None:
    """Raise UserError for the first named class that a model does not have; `class_names` by the model's key.

    Models that are not among the keys are believed.
    """
    for model in settings.models:
        for section, targets in asked(settings).items() if model.key in class_names else ():
            if not class_names[model.key]:
                raise UserError(f"{section}: model {model.id!r} has no classes (num_classes is 0)")
            for target in targets:
                class_number(target, class_names[model.key], f"{section}: targets: model {model.id!r}")


def names_before_jobs(models: Sequence[ModelSource], results: Path) -> dict[str, list[str]]:
    """Class names by a model's key, of the models of which they can be known before the first job.

    A sweep that has begun has them in model.json; of the others timm tells them, in a process of its own because it
    imports torch. What a Hugging Face repository holds is known when it was fetched. Raises UserError for models that
    timm does not build.
    """
    found = {model.key: names for model in models if (names := _of_identity(model, results)) is not None}
    others = [model for model in models if model.key not in found and not model.weights.startswith("hf-hub:")]
    has_timm = importlib.util.find_spec("timm")  # not where Snakemake makes an environment for each rule
    return found | (_ask_timm(others) if others and has_timm else {})


def _of_identity(model: ModelSource, results: Path) -> list[str] | None:
    try:
        facts = json.loads((results / model.key / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or one that a kill cut off
        return None
    built = [facts[name] for name in ("timm_name", "weights", "options")]
    wanted = [model.timm_name, model.weights, json.loads(json.dumps(dict(model.options)))]
    if built != wanted or len(model.class_names) not in (0, facts["class_count"]):
        return None
    return told_apart(model.class_names) or facts["class_names"]


def _ask_timm(models: Sequence[ModelSource]) -> dict[str, list[str]]:
    run = subprocess.run(
        [sys.executable, "-m", "konvolut.network.labels"],
        input=json.dumps([as_json.to_json(model) for model in models]),
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        said = run.stderr.strip().splitlines() or [f"status {run.returncode}"]
        raise UserError(said[-1])
    return json.loads(run.stdout)
