"""What the page of a photograph shows: answers of the models, attribution maps, dreams and the units it excites."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.asked.settings import Photograph
from konvolut.atlas import classes, model
from konvolut.atlas.attributions import Attribution, write_attributions
from konvolut.atlas.inputs import ImageInputs, ImageModel
from konvolut.atlas.model import LayerFacts
from konvolut.atlas.sprites import Sprite, layer_sprites, read_summary
from konvolut.atlas.trials import Trials, TrialWriter
from konvolut.results import store

UNITS_SHOWN = 10  # one line of the page
LEAST_SHOWN = 0.05  # standard deviations: what one decimal shows as more than 0.0


@dataclass
class ModelView:
    """What one model makes of one photograph; `maps` has a layer, a link and a strip of feature maps each."""

    key: str
    id: str
    answers: list[tuple[str, float]] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)
    dreams: list[tuple[str, Sprite]] = field(default_factory=list)
    accents: list[tuple[str, Sprite]] = field(default_factory=list)
    wholes: list[tuple[str, dict]] = field(default_factory=list)
    class_pages: dict[str, str] = field(default_factory=dict)
    strongest: list[tuple[str, list[Sprite]]] = field(default_factory=list)
    trials: Trials = field(default_factory=Trials)
    passports: list[tuple[str, dict]] = field(default_factory=list)
    maps: list[tuple[str, str, str]] = field(default_factory=list)

    def made(self, technique: str) -> tuple[int, list[str]]:
        """How many pictures of the photograph a technique made, and of which layers."""
        squares = self.trials.patches.squares if self.trials.patches else []
        counts = {
            "saliency": sum(len(found.maps) for found in self.attributions),
            "patches": len(squares),
            "fooling": len(self.trials.fooled),
            "inversion": len(self.trials.remembered),
        }
        return counts[technique], [one.layer for one in self.trials.remembered] if technique == "inversion" else []


@dataclass
class PhotographView:
    """One photograph and what the models make of it."""

    photo: Photograph
    models: list[ModelView] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.photo.label or self.photo.id


def views(inputs: ImageInputs, saliency_folder: Path) -> list[PhotographView]:
    """The pages' contents in the order of the photographs; attribution maps are written on the way."""
    paged = model.paged(inputs.photographs, inputs.settings)
    pages = {photo.key: PhotographView(photo) for photo in paged}
    for source in inputs.models:
        network = model.read_network(source.model_json)
        answers = model.read_answers(source.activations)
        attributions = write_attributions(source.saliency, network.key, saliency_folder, set(pages))
        maps = _map_strips(source, network.key)
        writer = TrialWriter(source, network.key, saliency_folder.with_name("trials"))
        dreams, strongest = _dreams(source, network.key, "dreams"), _strongest(source, network.key, set(pages))
        accents, wholes = _dreams(source, network.key, "accentuation"), _wholes(source)
        passports = _passports(source)
        known = classes.read_summary(inputs.classes)
        class_pages = {entry["name"]: entry["page"] for entry in known if entry["model"] == network.key}
        for key, page in pages.items():
            page.models.append(
                ModelView(
                    key=network.key,
                    id=network.id,
                    answers=answers.get(key, []),
                    attributions=attributions.get(key, []),
                    dreams=dreams.get(key, []),
                    accents=accents.get(key, []),
                    wholes=wholes.get(key, []),
                    class_pages=class_pages,
                    strongest=strongest.get(key, []),
                    trials=writer.trials(key),
                    maps=maps.get(key, []),
                    passports=passports,
                )
            )
    return list(pages.values())


def summary(views: list[PhotographView]) -> dict:
    """By model and technique what only these pages show: how many pictures, of how many photographs and layers."""
    told: dict[str, dict] = {}
    for view in views:
        for shown in view.models:
            for technique, passport in shown.passports:
                pictures, layers = shown.made(technique)
                empty = {"photographs": 0, "pictures": 0, "layers": [], "passport": passport}
                row = told.setdefault(shown.key, {}).setdefault(technique, empty)
                row["photographs"] += bool(pictures)
                row["pictures"] += pictures
                row["layers"] = sorted({*row["layers"], *layers})
    return told


def z_scores(maxima: np.ndarray) -> np.ndarray:
    """Maxima (photographs, units) in standard deviations of each unit above its own mean; 0 for a constant unit."""
    deviation = maxima.std(axis=0)
    centred = maxima - maxima.mean(axis=0)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)


def _dreams(source: ImageModel, model_key: str, technique: str) -> dict[str, list[tuple[str, Sprite]]]:
    found: dict[str, list[tuple[str, Sprite]]] = {}
    for name, folder in _in_order(source):
        for series in read_summary(folder).get("series", []):
            if series["technique"] == technique:
                sprites = layer_sprites(series, f"../{model_key}/{folder.name}", "large")[:UNITS_SHOWN]
                found.setdefault(series["start"], []).extend((name, sprite) for sprite in sprites)
    return found


def _wholes(source: ImageModel) -> dict[str, list[tuple[str, dict]]]:
    """Per photograph the layers with pictures of the layer as a whole, and these."""
    found: dict[str, list[tuple[str, dict]]] = {}
    for name, folder in _in_order(source):
        for whole in read_summary(folder).get("wholes", []):
            found.setdefault(whole["start"], []).append((name, whole))
    return found


def _passports(source: ImageModel) -> list[tuple[str, dict]]:
    """A title and the passport of each technique whose results only the photographs' pages show."""
    of_layers = [path for _, paths in source.inversion for path in paths]
    files = {"saliency": source.saliency, "patches": source.patches, "fooling": source.fooling, "inversion": of_layers}
    return [(name, store.read_passport(paths[0])) for name, paths in files.items() if paths]


def _map_strips(source: ImageModel, model_key: str) -> dict[str, list[tuple[str, str, str]]]:
    """Per photograph (layer, link to its feature maps, a strip of some of them)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, folder in _in_order(source):
        page = f"../{model_key}/{quote(folder.name)}"
        for series in read_summary(folder).get("series", []):
            if series["technique"] == "maps":
                prefix = series["prefix"]
                strip = (name, f"{page}.html#t={prefix}", f"{page}/strip-{prefix}.webp")
                found.setdefault(series["start"], []).append(strip)
    return found


def _strongest(source: ImageModel, model_key: str, wanted: set[str]) -> dict[str, list[tuple[str, list[Sprite]]]]:
    """Per photograph and layer: the pictured units that are furthest above their own mean over the photographs."""
    keys = [key for path in source.activations for key in store.read_about(path).image]
    found: dict[str, list[tuple[str, list[Sprite]]]] = {}
    for name, folder in _in_order(source):
        pictured = next((series for series in read_summary(folder).get("series", []) if series["sheets"]), None)
        paths = [path for path in source.activations if name in store.layers_of(path)]
        if pictured is None or not paths:
            continue
        maxima = store.read_pooled_rows(paths, name, np.arange(len(keys)))  # a layer at a time: a sweep has many
        sprites = layer_sprites(pictured, f"../{model_key}/{folder.name}", "plate")
        scores = z_scores(maxima)[:, [sprite.channel for sprite in sprites]]
        for row, key in enumerate(keys):
            if key not in wanted:
                continue
            best = np.argsort(-scores[row], kind="stable")[:UNITS_SHOWN]
            notes = [(place, f"{scores[row, place]:.1f} σ") for place in best if scores[row, place] >= LEAST_SHOWN]
            chosen = [sprites[place].noted(note) for place, note in notes]
            found.setdefault(key, []).append((name, chosen))
    return found


def _in_order(source: ImageModel) -> list[tuple[str, Path]]:
    rank = {facts.name: facts.index for facts in model.read_census(source.census_csv)}
    layers = [(name, Path(folder)) for name, folder in source.layers]
    return sorted(layers, key=lambda layer: rank.get(layer[0], LayerFacts("").index))
