"""Octaves: sizes, resizing as scipy has it, details carried up, and curves that can be compared."""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage
import torch

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.errors import UserError
from konvolut.network import models
from konvolut.network.streamline import streamlined
from konvolut.pictures import ascent, octaves
from konvolut.techniques.channels import fitting

LAYER = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5)
FEW = named("octave", octaves=3, steps=4, keep_every=2, retries=0)


@pytest.fixture(scope="module")
def network():
    return streamlined(models.build(ModelSource("tiny", "tiny", "test_efficientnet", "random:1")), LAYER.name)


def photograph(height=45, width=61):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def dreamt(network, recipe=FEW, channels=(3,), photo=None):
    photo = photograph() if photo is None else photo
    units = [ascent.UnitStart(channel, (1, 2, 3, 4), photo) for channel in channels]
    return ascent.ascend(network, LAYER, units, recipe, photo.shape[:2])


def test_each_octave_is_smaller_by_the_scale_and_never_nothing():
    assert octaves.sizes((280, 140), named("octave", octaves=3)) == [(280, 140), (200, 100), (143, 71)]
    assert octaves.sizes((4, 90), named("octave", octaves=9))[-1] == (1, 6)


@pytest.mark.parametrize("size", [(33, 21), (60, 81)])
def test_resizing_is_scipys_zoom_of_order_1(size):
    values = np.random.default_rng(1).normal(size=(45, 61)).astype(np.float32)
    expected = scipy.ndimage.zoom(values, (size[0] / 45, size[1] / 61), order=1)
    found = octaves.resized(torch.tensor(values)[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_octave_alone_is_an_ordinary_dream(network):
    one = dreamt(network, dataclasses.replace(FEW, octaves=1))
    assert one.curve.shape == (1, 5)
    assert one.curve[0, -1] > one.curve[0, 0]


def test_the_curve_begins_at_nothing_and_each_octave_gains(network):
    found = dreamt(network)
    assert found.curve.shape == (1, 3 * 4 + 1)
    assert found.curve[0, 0] == 0
    ends = found.curve[0, [3, 7, 12]]
    assert (ends > 0).all()
    assert found.step.tolist() == [2, 4, 6, 8, 10, 12]
    assert found.intermediate.shape == (1, 6, 45, 61, 3)
    assert np.array_equal(found.intermediate[0, -1], found.picture[0])


def test_detail_of_smaller_octaves_is_in_the_picture(network):
    photo = photograph(40, 40)
    small = dataclasses.replace(FEW, octaves=2)
    both = dreamt(network, small, photo=photo).picture[0].astype(int)
    last = dreamt(network, dataclasses.replace(small, octaves=1), photo=photo).picture[0].astype(int)
    assert np.abs(both - last).max() > 2


def test_pixels_stay_between_black_and_white(network):
    wild = dataclasses.replace(FEW, learning_rate=5.0, octaves=1, clip=True)
    start = ascent._start(network, [ascent.UnitStart(3, (1,), photograph())], wild, (45, 61), [torch.Generator()])
    start.values.data += 9
    start.clip()
    assert start.pictures().min() >= -1e-5
    assert start.pictures().max() <= 1 + 1e-5


def test_a_dream_by_octaves_is_the_same_bits_beside_others(network):
    together = dreamt(network, channels=(1, 3, 5))
    alone = dreamt(network, channels=(3,))
    assert np.array_equal(together.picture[1], alone.picture[0])
    assert np.array_equal(together.curve[1], alone.curve[0])


def test_a_whole_layer_has_no_activation_of_its_own(network):
    found = dreamt(network, named("octave-layer", octaves=2, steps=3), channels=(ascent.WHOLE_LAYER,))
    assert np.isnan(found.activation).all()
    assert found.curve[0, -1] > 0


def test_a_model_of_one_size_has_one_octave():
    vit = models.build(ModelSource("vit", "vit", "test_vit", "random:1"))
    layer = LayerSpec("blocks.0", "bnc", 64, 10, 10, 16, 160, 0)
    assert fitting(FEW, vit, layer, (160, 160)).octaves == 1


def test_octaves_of_a_spectrum_are_refused():
    with pytest.raises(UserError, match="octaves needs parameterisation pixels"):
        named("konvolut-dream", octaves=3)
