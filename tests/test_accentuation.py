"""Accentuation and caricature: distances as written, near their photograph, nearer to it than a dream."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from konvolut.asked.as_json import to_json
from konvolut.asked.built_in import named
from konvolut.asked.censuses import layer_spec
from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import AccentuationShard, LayerShard
from konvolut.network import inspection, models
from konvolut.network.photographs import as_inputs
from konvolut.network.record import truncated
from konvolut.pictures import images, objectives
from konvolut.results import contents, store
from konvolut.techniques import accentuation, caricature

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")
RECIPE = named("accentuation", steps=12, keep_every=6)


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    folder = tmp_path_factory.mktemp("census")
    inspection.inspect(to_json(TINY), folder / "layers.csv")
    return folder / "layers.csv"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs") / "p.png"
    coarse = np.random.default_rng(3).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    images.write_png(path, np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
    return Photograph("p", "p", str(path))


def accented(census, photograph, output, *, near=None, recipe=RECIPE):
    shard = AccentuationShard(TINY, "blocks.2.0", (0, 3), (photograph,), recipe, 72, 7, "cpu", near)
    accentuation.render(shard, census, output)
    return store.read_pictures(output)["p"]


def test_the_distance_is_a_share_of_the_photographs_squared_features():
    rng = np.random.default_rng(0)
    ours, known = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
    found = objectives.distance(torch.tensor(ours), torch.tensor(known))
    for row in range(2):
        expected = ((ours[row] - known[row]) ** 2).sum() / (known[row] ** 2).sum()
        assert float(found[row]) == pytest.approx(expected)


def test_the_caricature_weighs_each_cells_product_by_its_likeness():
    rng = np.random.default_rng(0)
    ours, known = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
    found = objectives.caricature(torch.tensor(ours), torch.tensor(known))
    for row in range(2):
        total = 0.0
        for y in range(4):
            for x in range(5):
                a, b = ours[row, :, y, x], known[row, :, y, x]
                cosine = a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)
                total += a @ b * max(cosine, objectives.LEAST_COSINE) ** objectives.COSINE_POWER
        assert float(found[row]) == pytest.approx(total / 20)


def test_an_accentuation_excites_its_channel_and_stays_nearer_than_a_dream(census, photograph, tmp_path):
    found = accented(census, photograph, tmp_path / "a.h5")
    free = dataclasses.replace(RECIPE, objective=(("peaks", 1.0),))
    dream = accented(census, photograph, tmp_path / "b.h5", recipe=free)
    network, photo = models.build(TINY), images.read(photograph.path)
    own, near = (layer_spec(census, name) for name in ("blocks.2.0", accentuation.halfway(census, "blocks.2.0")))
    with torch.no_grad():
        seen = truncated(network, own)
        before = seen(as_inputs(network, photo[None]))[0, [0, 3]].mean(dim=(1, 2)).numpy()
        early = truncated(network, near)
        known = early(as_inputs(network, photo[None]))
        far = [float((early(as_inputs(network, one[None])) - known).norm()) for one in (*found.picture, *dream.picture)]
    assert (found.activation[:, 0] > before).all()
    assert far[0] < far[2]
    assert far[1] < far[3]


def test_the_layer_to_stay_near_is_halfway_or_the_one_that_was_named(census, photograph, tmp_path):
    table = pd.read_csv(census)
    auto = table[table["auto"]]["layer"].tolist()
    before = [name for name in auto if name < "blocks.2.0" or name == "conv_stem"]
    assert accentuation.halfway(census, "conv_stem") == "conv_stem"
    assert accentuation.halfway(census, "blocks.2.0") in ["conv_stem", *before]
    accented(census, photograph, tmp_path / "a.h5", near="conv_stem")
    passport = store.read_passport(tmp_path / "a.h5")
    assert ["distance@conv_stem", -3.0] in passport["recipe"]["objective"]
    fitted = dict(passport["fitted"]["p"]["objective"])
    assert fitted["distance@conv_stem"] < 0
    assert fitted["distance@conv_stem"] != -3.0


def test_a_caricature_starts_from_noise_and_grows_alike(census, photograph, tmp_path):
    recipe = named("caricature", steps=12, keep_every=6)
    shard = LayerShard(TINY, "blocks.1.0", (photograph,), recipe, 72, 7, "cpu")
    caricature.render(shard, census, tmp_path / "c.h5")
    found = store.read_named(tmp_path / "c.h5", contents.LayerPicture)["p"]
    photo = images.read(photograph.path)
    assert np.array_equal(found.input, photo)
    assert found.picture.shape == photo.shape
    assert found.curve[-1] > max(found.curve[0], 0)
    likeness = [np.corrcoef(one.ravel(), photo.ravel())[0, 1] for one in (found.intermediate[0], found.picture)]
    assert likeness[1] > 0.2
