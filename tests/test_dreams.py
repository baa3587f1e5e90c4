"""Dreams of photographs of any size, each the same whatever else is dreamt."""

import csv
import dataclasses

import numpy as np
import pytest

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import DreamsShard
from konvolut.network import models
from konvolut.network.photographs import at_own_aspect
from konvolut.pictures import images
from konvolut.results import store
from konvolut.techniques import dreams

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")
TRANSFORMER = ModelSource("vit", "vit", "test_vit", "random:1")
RECIPE = named("lab-dream", steps=4, keep_every=2)
LAYER = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5)


@pytest.fixture
def census(tmp_path):
    layers = [
        LAYER,
        LayerSpec("blocks.0", "bnc", 64, 10, 10, 16, 160, 0),
    ]
    rows = [{("layer" if k == "name" else k): v for k, v in dataclasses.asdict(layer).items()} for layer in layers]
    path = tmp_path / "layers.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "kind", "stage", "activation", "refused"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def photographs(tmp_path):
    found = []
    for key, (height, width) in {"wide": (37, 61), "tall": (90, 41)}.items():
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
        images.write_png(tmp_path / f"{key}.png", pixels)
        found.append(Photograph(key, key, str(tmp_path / f"{key}.png")))
    return tuple(found)


def rendered(census, output, photographs, numbers, *, model=TINY, layer="blocks.1", recipe=RECIPE, longest=61):
    shard = DreamsShard(model, layer, numbers, photographs, recipe, longest, 7, "cpu")
    dreams.render(shard, census, output)
    return store.read_pictures(output)


def test_each_photograph_dreams_at_its_own_aspect(census, photographs, tmp_path):
    found = rendered(census, tmp_path / "a.h5", photographs, (0, 3))
    assert set(found) == {"wide", "tall"}
    assert found["wide"].picture.shape == (2, 37, 61, 3)
    assert found["tall"].picture.shape == (2, 61, 28, 3)
    assert found["wide"].step.tolist() == [2, 4]


@pytest.mark.parametrize("name", ["lab-dream", "konvolut-dream"])
def test_a_dream_begins_with_the_photograph_and_excites_its_channel_more(census, photographs, tmp_path, name):
    recipe = named(name, steps=6, keep_every=2, transforms=())
    found = rendered(census, tmp_path / "a.h5", photographs[:1], (0, 3), recipe=recipe)["wide"]
    photo = images.read(photographs[0].path).astype(int)
    assert (found.curve[:, -1] > found.curve[:, 0]).all()
    likeness = [np.corrcoef(picture.ravel(), photo.ravel())[0, 1] for picture in found.picture]
    assert min(likeness) > 0.5


def test_without_a_step_a_photograph_stays_itself(photographs, census, tmp_path):
    recipe = named("lab-dream", steps=0, keep_every=0, retries=0)
    found = rendered(census, tmp_path / "a.h5", photographs[:1], (1, 2), recipe=recipe)["wide"]
    assert np.array_equal(found.picture[0], images.read(photographs[0].path))


def test_a_dream_does_not_depend_on_other_photographs_or_shards(census, photographs, tmp_path):
    both = rendered(census, tmp_path / "a.h5", photographs, (0, 3))
    alone = rendered(census, tmp_path / "b.h5", photographs[1:], (3,))
    assert np.array_equal(alone["tall"].curve[0], both["tall"].curve[1])
    assert np.array_equal(alone["tall"].picture[0], both["tall"].picture[1])


def test_a_transformer_of_one_size_dreams_at_that_size(census, photographs, tmp_path):
    found = rendered(census, tmp_path / "a.h5", photographs[:1], (5,), model=TRANSFORMER, layer="blocks.0")
    assert found["wide"].picture.shape == (1, 160, 160, 3)


def test_photographs_are_only_ever_shrunk():
    network = models.build(TINY)
    photo = np.zeros((40, 30, 3), np.uint8)
    assert at_own_aspect(network, LAYER, photo, 500).shape == (40, 30, 3)
    assert at_own_aspect(network, LAYER, photo, 20).shape == (20, 15, 3)
