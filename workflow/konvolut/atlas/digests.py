"""What a layer's page takes from files of its whole model, as a digest: one more layer rewrites no page but its own."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from konvolut.atlas import evidence, likeness, model, tiles
from konvolut.atlas.inputs import LayerInputs
from konvolut.results import contents, store

DIGITS = 16
# Rows of lists that all layers share: one more layer moves them. What they stand for is told by `evidence.of_units`.
SHARED = ("image", "quantile_image", "class_index")


def write(of_model: LayerInputs, layers: Iterable[str], path: Path) -> None:
    """Write the digest of each layer's evidence, by its name, as JSON; `of_model` has the files of the model."""
    answers = model.read_answers(of_model.activations)
    told = {layer: of_layer(dataclasses.replace(of_model, layer=layer), answers) for layer in layers}
    Path(path).write_text(json.dumps(told, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def of_layer(inputs: LayerInputs, answers: dict[str, list[tuple[str, float]]]) -> str:
    """Hex digits that change with anything that the page shows of photographs, look-alikes, trust or kernels."""
    digest = hashlib.sha256()
    for part in _parts(inputs, answers):
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str} {part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=float).encode())
    return digest.hexdigest()[:DIGITS]


def _parts(inputs: LayerInputs, answers: dict) -> Iterator:
    found = model.read_examples(inputs.examples, inputs.layer)
    layer = found.layers.get(inputs.layer)
    if layer is not None:
        shown = model.shown(inputs.photographs, answers, inputs.settings)
        natural = evidence.Natural(found, layer, shown, inputs.examples_shown, evidence.read_beside(inputs))
        yield [found.photographs, found.classes_are]
        yield from _of_units(natural)
    yield likeness.ranks(inputs.activations, inputs.layer)
    yield from tiles.feature_maps(inputs)
    if inputs.kernels is not None and (kernels := store.read_named(inputs.kernels, contents.Kernels).get(inputs.layer)):
        yield store.read_passport(inputs.kernels)
        yield kernels.weight


def _of_units(natural: evidence.Natural) -> Iterator:
    for name, value in vars(natural.layer).items():
        if name not in SHARED and value is not None:
            yield name
            yield np.asarray(value)
    index = evidence.Index()
    yield evidence.of_units(natural, range(len(natural.layer.max)), index)
    yield [dataclasses.astuple(photo) for photo in index.photographs]
    yield [list(index.places), list(index.classes)]
