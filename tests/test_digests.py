"""The digest of what a layer's page takes from files of its whole model."""

import dataclasses

import numpy as np
import pytest

from konvolut.atlas import digests, model
from konvolut.results import store
from synthetic_results import Results, photographs


@pytest.fixture
def result(tmp_path):
    return Results(
        tmp_path, "net", {"a": ("1", 4, [0]), "b": ("1", 4, [0])}, photographs(("coffee", "camera", "rocket"))
    )


def digest(inputs, layer="a", **changes):
    inputs = dataclasses.replace(inputs, layer=layer, **changes)
    return digests.of_layer(inputs, model.read_answers(inputs.activations))


def test_another_layer_and_another_order_of_photographs_change_nothing(result, tmp_path):
    inputs = result.layer_inputs("a")
    found = store.read_examples(inputs.examples, ["a", "b"])
    turned = found.image[::-1]
    rows = np.array([turned.index(key) for key in found.image], np.int32)
    moved = {
        name: dataclasses.replace(layer, image=rows[layer.image], quantile_image=rows[layer.quantile_image])
        for name, layer in found.layers.items()
    }
    moved["b"].mean[:] += 1
    store.write_examples(tmp_path / "moved.h5", dataclasses.replace(found, image=turned, layers=moved), {})
    assert digest(inputs, examples=tmp_path / "moved.h5") == digest(inputs)
    assert digest(inputs, "b", examples=tmp_path / "moved.h5") != digest(inputs, "b")


def test_whatever_the_page_shows_changes_it(result):
    inputs = result.layer_inputs("a")
    photos = inputs.photographs
    renamed = (dataclasses.replace(photos[0], label="other"), *photos[1:])
    others = {
        "no photographs": {"examples": None},
        "fewer of them": {"examples_shown": 1},
        "another label": {"photographs": renamed},
        "no answers": {"activations": ()},
    }
    told = {name: digest(inputs, **change) for name, change in others.items()} | {"as it is": digest(inputs)}
    assert len(set(told.values())) == len(told)


def test_a_digest_is_written_for_each_layer(result, tmp_path):
    inputs = result.layer_inputs("a")
    digests.write(inputs, ["a", "b"], tmp_path / "evidence.json")
    assert (
        tmp_path / "evidence.json"
    ).read_text() == f'{{\n"a": "{digest(inputs)}",\n"b": "{digest(inputs, "b")}"\n}}\n'
