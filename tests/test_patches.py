"""Maximally activated patches against hiding one square after the other, and what the file holds."""

import dataclasses

import numpy as np
import pytest
import torch

from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import PatchesShard
from konvolut.network import models, planes
from konvolut.network.census import census, write_census
from konvolut.pictures import images
from konvolut.results import contents, store
from konvolut.techniques import patches

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")


@pytest.fixture(scope="module")
def network():
    return models.build(TINY)


def photograph(height, width, seed=0):
    """Blobs of colour: in noise every square is alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def probability(network, picture01):
    x = planes.normalise(network, torch.from_numpy(picture01).permute(2, 0, 1)[None].float())
    with torch.no_grad():
        return network.module(x).softmax(1)[0].numpy()


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (72, 72)], ids=["wide", "tall", "square"])
def test_drops_are_those_of_hiding_one_square_after_the_other(network, size):
    picture = photograph(*size)
    found = patches.hide_squares(network, picture, 0.5, 0.2, 5)
    side, step = round(0.5 * min(size)), round(0.2 * min(size))
    before = probability(network, picture / 255)
    target = before.argmax()
    expected = {}
    y = 0
    while y + side <= size[0]:
        x = 0
        while x + side <= size[1]:
            hidden = picture / 255
            hidden[y : y + side, x : x + side] = (picture / 255).mean((0, 1))
            expected[y, x] = before[target] - probability(network, hidden)[target]
            x += step
        y += step
    assert [tuple(corner) for corner in found.corner] == list(expected)
    assert found.target_class == target
    assert found.probability == pytest.approx(before[target], rel=1e-4)
    np.testing.assert_allclose(found.drop, list(expected.values()), atol=1e-6)
    ranked = sorted(expected.values(), reverse=True)[:5]
    np.testing.assert_allclose(found.drop[found.best], ranked, atol=1e-6)


def test_a_square_over_what_matters_comes_first(network):
    # A flat picture but for one blob: only squares that touch the blob change anything.
    picture = np.full((64, 128, 3), 120, np.uint8)
    picture[20:30, 100:110] = photograph(16, 16)[:10, :10]
    found = patches.hide_squares(network, picture, 16, 8, 3)
    y, x = found.corner[np.abs(found.drop).argmax()]
    assert y < 30 < y + 16 + 10
    assert x < 110 < x + 16 + 10


@pytest.mark.parametrize(
    ("measure", "shorter", "px"), [(0.5, 100, 50), (1, 100, 100), (448, 512, 448), (448, 224, 224), (0.001, 100, 1)]
)
def test_sizes_are_shares_up_to_1_and_pixels_above(measure, shorter, px):
    assert patches.in_pixels(measure, shorter) == px


def test_the_file_holds_each_photograph_at_its_own_aspect(network, tmp_path):
    write_census(census(network), tmp_path / "layers.csv")
    photographs = []
    for key, size in {"wide": (64, 128), "tall": (128, 48)}.items():
        images.write_png(tmp_path / f"{key}.png", photograph(*size))
        photographs.append(Photograph(key, key, str(tmp_path / f"{key}.png")))
    shard = PatchesShard(TINY, tuple(photographs), 0.5, 0.25, 4, 96, "cpu")
    told = []
    patches.compute(shard, tmp_path / "layers.csv", tmp_path / "a.h5", lambda *numbers: told.append(numbers))
    found = store.read_named(tmp_path / "a.h5", contents.Patches)
    assert found["wide"].picture.shape == (48, 96, 3)
    assert found["tall"].picture.shape == (96, 36, 3)
    assert found["wide"].best.shape == (4,)
    assert told == [(0, 2), (1, 2), (2, 2)]
    alone = dataclasses.replace(shard, photographs=(photographs[1],))
    patches.compute(alone, tmp_path / "layers.csv", tmp_path / "b.h5", print)
    np.testing.assert_array_equal(
        store.read_named(tmp_path / "b.h5", contents.Patches)["tall"].drop, found["tall"].drop
    )
    passport = store.read_passport(tmp_path / "a.h5")
    assert (passport["technique"], passport["patch"]) == ("patches", 0.5)
