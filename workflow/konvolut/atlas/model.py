"""Stored results as plain objects: what the atlas knows about a network, its layers and its photographs.

Paths come in from outside and nothing here composes one. Whatever was not computed is None or empty, never an error.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from konvolut.asked.settings import AtlasSettings, Photograph
from konvolut.results import store
from konvolut.results.contents import rows_of


@dataclass(frozen=True)
class Network:
    """A model as `identify` described it in model.json."""

    id: str
    key: str
    timm_name: str
    tag: str = ""
    weights: str = ""
    weights_sha256: str = ""
    options: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    parameters: int = 0
    class_count: int = 0
    class_names: tuple[str, ...] = ()

    def sees(self, layer: "LayerFacts") -> str:
        """How much of the input one cell of a layer depends on, in words."""
        sides_px = self.data.get("input_size", [0, 0, 0])[1:]
        if not layer.receptive_field_px:
            return ""
        if sides_px and 0 < max(sides_px) <= layer.receptive_field_px:
            return "sees the whole input"
        return f"sees {'' if layer.receptive_field_exact else 'up to '}{layer.receptive_field_px:,} px"

    @property
    def timm_path(self) -> str:
        """The name that timm.create_model understands."""
        return f"{self.timm_name}.{self.tag}" if self.tag and "." not in self.timm_name else self.timm_name

    def snippet(self, layer: str) -> str:
        """Python that builds the model and finds a layer; weights from elsewhere than timm are named beside it."""
        pretrained = self.weights == "pretrained"
        options = ({"pretrained": True} if pretrained else {}) | self.options
        arguments = "".join(f", {name}={value!r}" for name, value in options.items())
        beside = "" if pretrained else f"# weights: {' '.join(self.weights.split())}\n"
        return (
            f"{beside}import timm\nmodel = timm.create_model({self.timm_path!r}{arguments}).eval()\n"
            f"layer = model.get_submodule({layer!r})"
        )


@dataclass(frozen=True)
class LayerFacts:
    """One row of the census; sizes of maps in cells, receptive fields in pixels of the input."""

    name: str
    index: int = 0
    kind: str = ""
    stage: str = ""
    channels: int = 0
    height: int = 0
    width: int = 0
    stride: int = 0
    receptive_field_px: int = 0
    receptive_field_exact: bool = False
    activation: str = ""
    parameters: int = 0
    flops: int = 0
    refused: str = ""


@dataclass(frozen=True)
class Shown:
    """A photograph as other pages name it: `key` for paths, `name` for readers, `answer` is the likeliest class.

    `paged` is whether it has a page; of others there is a small picture.
    """

    key: str
    name: str
    answer: str
    paged: bool = True

    def told(self) -> list:
        """What scripts are told of it."""
        return [self.key, self.name, self.answer, *([] if self.paged else [1])]


def read_network(path: Path) -> Network:
    """The model of a model.json; facts that it does not hold stay empty."""
    facts = json.loads(Path(path).read_text(encoding="utf-8"))
    return Network(**{name: value for name, value in facts.items() if name in Network.__dataclass_fields__})


def read_census(path: Path) -> list[LayerFacts]:
    """The rows of layers.csv in the order of the network."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = [_layer_facts(row) for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: row.index)


def layer_facts(census: Iterable[LayerFacts], name: str) -> LayerFacts:
    """The row of the layer called `name`, or an empty one."""
    return next((row for row in census if row.name == name), LayerFacts(name))


def read_pictures(paths: Iterable[Path], order: Iterable[str]) -> Iterator[tuple[str, store.Pictures, dict]]:
    """(start, pictures, passport) of each shard in turn, the shards by first channel, the starts in `order`."""
    rank = {start: number for number, start in enumerate(order)}
    for path in sorted(paths, key=_first_channel):
        passport = store.read_passport(path)
        shard = store.read_pictures(path)
        for start in sorted(shard, key=lambda start: (rank.get(start, len(rank)), start)):
            yield start, _ascending(shard[start]), passport


def read_answers(paths: Iterable[Path]) -> dict[str, list[tuple[str, float]]]:
    """The likeliest classes of each photograph (by key): names and probabilities."""
    answers = {}
    for path in paths:
        shard = store.read_about(path)
        for image, names, shares in zip(shard.image, shard.predicted_name, shard.probability, strict=True):
            answers[image] = list(zip(names, map(float, shares), strict=True))
    return answers


def read_examples(path: Path | None, layer: str) -> store.Examples:
    """What excites the units of `layer`; without layers where it was not computed."""
    return store.Examples([], {}) if path is None else store.read_examples(path, [layer])


def shown(
    photographs: Iterable[Photograph], answers: dict[str, list[tuple[str, float]]], settings: AtlasSettings
) -> dict[str, Shown]:
    """Photographs by key, as other pages name them."""
    pages = set(settings.images)
    return {
        photo.key: Shown(photo.key, photo.label or photo.id, _likeliest(answers, photo.key), photo.id in pages)
        for photo in photographs
    }


def paged(photographs: Iterable[Photograph], settings: AtlasSettings) -> tuple[Photograph, ...]:
    """The photographs that have a page, in their order."""
    pages = set(settings.images)
    return tuple(photo for photo in photographs if photo.id in pages)


def _likeliest(answers: dict[str, list[tuple[str, float]]], key: str) -> str:
    return answers[key][0][0] if answers.get(key) else ""


def _layer_facts(row: dict[str, str]) -> LayerFacts:
    def number(name: str) -> int:
        try:
            return int(float(row.get(name) or 0))
        except (ValueError, OverflowError):
            return 0

    numbers = ("index", "channels", "height", "width", "stride", "receptive_field_px", "parameters", "flops")
    texts = ("kind", "stage", "activation", "refused")
    return LayerFacts(
        name=row["layer"],
        receptive_field_exact=row.get("receptive_field_exact", "").lower() in ("true", "1"),
        **{name: number(name) for name in numbers},
        **{name: row.get(name) or "" for name in texts},
    )


def _first_channel(path: Path) -> tuple[int, str]:
    first = Path(path).stem.partition("-")[0]
    return int(first) if first.isdigit() else 0, str(path)


def _ascending(pictures: store.Pictures) -> store.Pictures:
    order = np.argsort(pictures.channel, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return pictures
    return rows_of([pictures], order)
