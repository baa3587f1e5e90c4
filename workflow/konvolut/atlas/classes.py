"""The pages of classes: their pictures and how they came to be, and the photographs that are taken for them.

{model}/{number}.html              a class of a model
{model}/{number}-{regularisation}.webp and -steps.webp     the finished picture, and the ascent as an animation
index.html summary.json            all of them
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.asked.settings import AtlasSettings, Photograph
from konvolut.atlas import model, plates
from konvolut.atlas.charts import curve_points
from konvolut.atlas.inputs import ClassInputs, ClassModel
from konvolut.atlas.model import Network
from konvolut.pictures import health, images
from konvolut.results import contents, store

LARGE = 3 / 2  # of settings.large_px: the pictures are what the page is about


@dataclass(frozen=True)
class Portrait:
    """One picture of a class; files relative to the model's folder."""

    regularisation: str
    picture: str
    animation: str
    probability: float
    steps: int
    all_steps: int
    curve: str
    score: list[float]
    verdict: str
    held_out: float
    passport: dict


@dataclass
class ClassView:
    """A class of a model: pictures, and photographs (key, name, rank from 1, probability) among whose answers it is."""

    model: Network
    number: int
    name: str
    portraits: list[Portrait] = field(default_factory=list)
    seen: list[tuple[str, str, int, float]] = field(default_factory=list)
    unit: str = ""

    @property
    def page(self) -> str:
        """Address from the folder of all classes."""
        return f"{quote(self.model.key)}/{self.number}.html"

    def entry(self) -> dict:
        """What other pages need to know."""
        first = self.portraits[0]
        return {
            "model": self.model.key,
            "id": self.model.id,
            "number": self.number,
            "name": self.name,
            "page": self.page,
            "picture": f"{quote(self.model.key)}/{first.picture}",
            "probability": first.probability,
            "held_out": first.held_out,
            "verdict": first.verdict,
            "pictures": len(self.portraits),
        }


def views(inputs: ClassInputs, folder: Path) -> list[ClassView]:
    """The classes with pictures, by model and number; the pictures are written on the way."""
    found = []
    for source in inputs.models:
        network = model.read_network(source.model_json)
        answers = model.read_answers(source.activations)
        unit_page = classifier_page(network, source)
        made: dict[int, ClassView] = {}
        for path in source.classes:
            passport = store.read_passport(path)
            for content in store.read_named(path, contents.ClassPicture).values():
                number = int(content.target_class)
                view = made.setdefault(number, ClassView(network, number, content.target_name))
                view.portraits.append(_write(content, passport, Path(folder) / network.key, inputs.settings))
        for number in sorted(made):
            view = made[number]
            view.portraits.sort(key=lambda portrait: ("none", "l1", "l2").index(portrait.regularisation))
            view.seen = answering(view.name, answers, model.paged(inputs.photographs, inputs.settings))
            view.unit = f"{unit_page}#u{number}" if unit_page else ""
            found.append(view)
    return found


def answering(name: str, answers: dict, photographs: tuple[Photograph, ...]) -> list[tuple[str, str, int, float]]:
    """Photographs among whose likeliest classes is `name`, or that are labelled so: key, name, rank and probability,
    most probable first; a rank of 0 means that the class is none of the likeliest."""
    found = []
    for photo in photographs:
        names = [answer for answer, _ in answers.get(photo.key, [])]
        rank = names.index(name) + 1 if name in names else 0
        if rank or photo.label.casefold() in (word.strip() for word in name.casefold().split(",")):
            probability = answers[photo.key][rank - 1][1] if rank else 0.0
            found.append((photo.key, photo.label or photo.id, rank, probability))
    return sorted(found, key=lambda entry: -entry[3])


def classifier_page(network: Network, source: ClassModel) -> str:
    """The page of the layer whose channels are the classes, as seen from a class' page; "" where there is none."""
    census = model.read_census(source.census_csv)
    for name, folder in source.layers:
        facts = model.layer_facts(census, name)
        if facts.kind == "Linear" and facts.channels == network.class_count:
            return f"../../{quote(network.key)}/{quote(Path(folder).name)}.html"
    return ""


def _write(content: contents.ClassPicture, passport: dict, folder: Path, settings: AtlasSettings) -> Portrait:
    folder.mkdir(parents=True, exist_ok=True)
    name, longest_px = f"{int(content.target_class)}-{content.regularisation}", round(settings.large_px * LARGE)
    images.write_webp(folder / f"{name}.webp", images.shrink(content.picture, longest_px), plates.QUALITY)
    animation = ""
    if len(content.intermediate):
        animation = f"{name}-steps.webp"
        frames = [images.shrink(one, settings.large_px) for one in (*content.intermediate, content.picture)]
        images.write_animation(folder / animation, frames, plates.QUALITY)
    all_steps = int(passport.get("recipe", {}).get("steps", content.steps))
    verdict = health.class_verdict(content.curve, all_steps, float(content.held_out[1]))
    return Portrait(
        regularisation=content.regularisation,
        picture=quote(f"{name}.webp"),
        animation=quote(animation),
        probability=float(content.probability),
        steps=int(content.steps),
        all_steps=all_steps,
        curve=curve_points(np.asarray(content.probabilities), 0.0, 1.0),
        score=[float(content.curve[0]), float(content.curve[-1])],
        verdict=health.NAMES[verdict],
        held_out=float(content.held_out[0]),
        passport=passport,
    )


def read_summary(folder: Path | None) -> list[dict]:
    """The classes with pictures, as summary() told them; none where the pages were not written."""
    path = Path(folder) / "summary.json" if folder else None
    return json.loads(path.read_text(encoding="utf-8"))["classes"] if path and path.exists() else []


def summary(found: list[ClassView]) -> dict:
    """What other pages and scripts need to know: the classes, and a passport of each model's."""
    passports = {view.model.key: view.portraits[0].passport for view in reversed(found)}
    return {"classes": [view.entry() for view in found], "passports": passports}
