"""Files of what photographs say about units: examples and look-alikes; drawn in store.py."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from konvolut.results.evidence import Alike, Examples, LayerExamples
from konvolut.results.hdf5 import fields_of, new_file, open_file, put, put_fields, put_text, read_fields, text_of


def write_examples(path: Path, examples: Examples, passport: dict) -> None:
    """Write the examples of every layer of a model."""
    with new_file(path, "examples", passport) as file:
        about = {name: value for name, value in fields_of(examples).items() if name != "layers"}
        for name, value in about.items():
            (put if name == "photographs" else put_text)(file, name, value)
        for layer, content in examples.layers.items():
            put_fields(file.create_group(f"layers/{layer}"), content)


def read_examples(path: Path, layers: list[str] | None = None) -> Examples:
    """Read an examples file, or only some of its layers."""
    with open_file(path) as file:
        wanted = file["layers"].keys() if layers is None else [name for name in layers if name in file["layers"]]
        return Examples(
            **{name: text_of(file[name]) for name in ("image", "classes", "classes_are")},
            photographs=int(file["photographs"][()]),
            layers={layer: read_fields(LayerExamples, file["layers"][layer]) for layer in wanted},
        )


def write_alike(path: Path, places: Mapping[tuple[str, str], int], layers: Mapping[str, dict], passport: dict) -> None:
    """Write look-alikes: layer -> relation -> Alike; places are a model's key and a layer, with the number of units."""
    with new_file(path, "alike", passport) as file:
        put_text(file, "place/model", [model for model, _ in places])
        put_text(file, "place/layer", [layer for _, layer in places])
        put(file, "place/units", np.array(list(places.values()), np.int32))
        for layer, relations in layers.items():
            for relation, content in relations.items():
                put_fields(file.create_group(f"layers/{layer}/{relation}"), content)


def read_alike(path: Path, layer: str) -> tuple[dict[tuple[str, str], int], dict[str, Alike]]:
    """The places, and the look-alikes of one layer by relation: inside, across, and the key of each other model."""
    with open_file(path) as file:
        names = zip(text_of(file["place/model"]), text_of(file["place/layer"]), strict=True)
        places = dict(zip(names, file["place/units"][()].tolist(), strict=True))
        group = file["layers"].get(layer, {})
        found = {name: read_fields(Alike, group[name]) for name in ("inside", "across") if name in group}
        twins = {name: read_fields(Alike, twin) for name, twin in group.get("twins", {}).items()}
        return places, found | twins
