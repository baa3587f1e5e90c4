"""Channel pictures as files: the same whatever the shard, with a passport, small where the layer sees little."""

import csv
import dataclasses

import numpy as np
import pytest

from konvolut import provenance
from konvolut.asked.built_in import BUILT_IN, named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import ChannelsShard
from konvolut.network import models
from konvolut.results import checks, store
from konvolut.techniques import channels

TINY = ModelSource("tiny/1", "tiny-1", "test_efficientnet", "random:1")
TRANSFORMER = ModelSource("vit", "vit", "test_vit", "random:1")
RECIPE = named("konvolut", steps=4, keep_every=2, size_px=64, fields=0.0, coarse_steps=0)


@pytest.fixture
def census(tmp_path):
    layers = [
        LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5),
        LayerSpec("blocks.0", "bnc", 64, 10, 10, 16, 160, 0),
    ]
    rows = [{("layer" if k == "name" else k): v for k, v in dataclasses.asdict(layer).items()} for layer in layers]
    path = tmp_path / "layers.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "kind", "stage", "activation", "refused"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rendered(census, output, *numbers, model=TINY, layer="blocks.1", recipe=RECIPE, progress=lambda done, total: None):
    shard = ChannelsShard(model, layer, numbers, recipe, 7, "cpu")
    channels.render(shard, census, output, progress)
    return store.read_pictures(output)["noise"]


def test_a_channels_picture_is_the_same_in_any_shard(census, tmp_path):
    whole = rendered(census, tmp_path / "0-4.h5", 0, 1, 2, 3, 4)
    elsewhere = tmp_path / "elsewhere"  # beside the whole its pictures would be taken from there
    parts = [rendered(census, elsewhere / "0-0.h5", 0), rendered(census, elsewhere / "1-4.h5", 1, 2, 3, 4)]
    for field in ("channel", "picture", "intermediate", "curve", "activation", "attempt"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert np.array_equal(getattr(whole, field), joined), field


def test_the_same_shard_gives_the_same_bytes(census, tmp_path):
    rendered(census, tmp_path / "a.h5", 0, 1)
    rendered(census, tmp_path / "b.h5", 0, 1)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_passport_tells_what_could_change_the_pictures(census, tmp_path):
    rendered(census, tmp_path / "a.h5", 3)
    passport = store.read_passport(tmp_path / "a.h5")
    assert passport["technique"] == "channels"
    assert passport["layer"] == "blocks.1"
    assert passport["seed"] == 7
    assert passport["recipe"]["steps"] == 4
    assert passport["recipe"]["name"] == "konvolut"
    assert passport["device"] == "cpu"
    assert passport["weights_sha256"] == models.build(TINY).weights_sha256
    assert passport["model"]["timm_name"] == "test_efficientnet"


def test_progress_counts_units(census, tmp_path):
    told = []
    recipe = dataclasses.replace(RECIPE, units_per_batch=2)
    rendered(census, tmp_path / "a.h5", 0, 1, 2, recipe=recipe, progress=lambda *numbers: told.append(numbers))
    assert told == [(0, 3), (2, 3), (3, 3)]


def test_a_transformer_of_one_size_gets_pictures_of_that_size(census, tmp_path):
    found = rendered(census, tmp_path / "a.h5", 0, 5, model=TRANSFORMER, layer="blocks.0")
    assert found.picture.shape == (2, 160, 160, 3)
    assert (found.curve[:, -1] > found.curve[:, 0]).all()


@pytest.mark.parametrize(("field_px", "side"), [(3, 64), (19, 96), (50, 224), (2000, 224)])
def test_layers_that_see_little_get_small_pictures(field_px, side):
    network = models.build(TINY)
    layer = LayerSpec("blocks.1", "bchw", 1, 1, 1, 1, field_px, 0)
    assert channels.side_px(network, layer, named("konvolut", fields=4.0, size_px=224)) == side
    assert channels.side_px(network, layer, named("lucid")) == 224


def test_a_layer_sees_no_more_than_its_model_was_shown():
    small = models.build(dataclasses.replace(TINY, options=(("img_size", 32),)))
    layer = LayerSpec("blocks.4", "bchw", 1, 1, 1, 32, 291, -130)
    assert channels.side_px(small, layer, named("konvolut", fields=4.0, size_px=224)) == 128
    assert channels.side_px(small, layer, named("konvolut", fields=0.0, size_px=224)) == 224


def test_small_pictures_of_layers_that_see_little_are_climbed_faster_in_float32_with_peaks_further_apart():
    network = models.build(TINY)
    layer, recipe = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5), named("konvolut", fields=4.0, size_px=256)
    brief = dataclasses.replace(recipe, precision="bfloat16")
    fitted = [channels.fitting(brief, network, layer, (side, side)) for side in (256, 128, 64)]
    assert [one.precision for one in fitted] == ["bfloat16", "float32", "float32"]
    rates = [one.learning_rate for one in fitted]
    assert rates == pytest.approx([recipe.learning_rate * factor for factor in (1.4, 2, 4)])
    sees_all = dataclasses.replace(layer, receptive_field_px=256)
    assert channels.fitting(recipe, network, sees_all, (256, 256)).learning_rate == recipe.learning_rate
    assert [one.window for one in fitted] == [2, 3, 3]
    every_cell = dataclasses.replace(brief, window=1)
    assert channels.fitting(every_cell, network, layer, (64, 64)).window == 1
    assert all(one.decorrelate for one in fitted)
    lucid = named("lucid", size_px=256)
    assert channels.fitting(lucid, network, layer, (64, 64)).learning_rate == lucid.learning_rate


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_fitted_of_a_recipe_is_what_verify_lets_differ(name):
    network, recipe = models.build(TINY), named(name)
    changes = set()
    for field_px, side in ((3, 64), (11, 96), (50, 224), (2000, 224)):
        layer = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, field_px, -5)
        changes |= set(channels.changed(recipe, channels.fitting(recipe, network, layer, (side, side))))
    assert changes <= checks.FITTED


@pytest.mark.parametrize(
    ("field_px", "side", "decorrelate"), [(3, 64, False), (8, 64, False), (9, 64, True), (3, 256, True)]
)
def test_small_pictures_of_stems_are_climbed_in_plain_colours(field_px, side, decorrelate):
    layer, recipe = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, field_px, -5), named("konvolut", size_px=256)
    assert channels.fitting(recipe, models.build(TINY), layer, (side, side)).decorrelate is decorrelate


def test_seeds_are_those_of_the_unit_and_its_attempts():
    seeds = channels.attempt_seeds(7, "m", "l", 3, "channels")
    assert seeds == tuple(provenance.unit_seed(7, "m", "l", 3, "channels", repeat) for repeat in range(4))
    assert len(set(seeds)) == 4
