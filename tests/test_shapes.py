"""Which sizes a network takes, told without computing, and what channel pictures and dreams make of it."""

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.network import models, photographs, shapes
from konvolut.techniques import channels

END = LayerSpec("end", "bchw", 4, 32, 32, 4, 4, 0)
TOKENS = LayerSpec("blocks.0", "bnc", 64, 10, 10, 16, 160, 0)


class Blocks(nn.Module):
    """Takes whole multiples of 64 px only; counts its passes with numbers; may ask a tensor for its numbers."""

    def __init__(self, asks: bool = False) -> None:
        super().__init__()
        self.conv, self.end, self.asks, self.passes = nn.Conv2d(3, 4, 4, stride=4), nn.Identity(), asks, 0

    def forward(self, x):
        self.passes += x.device.type != "meta"
        if self.asks and x.sum().item() > np.inf:
            return x
        x = self.conv(x)
        return self.end(x.unflatten(3, (-1, 16)).unflatten(2, (-1, 16)).flatten(4, 5).flatten(2, 3))


def network_of(module):
    data = models.DataConfig((3, 128, 128), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    return models.Network(module.eval().requires_grad_(False), {}, "", data)


@pytest.fixture(scope="module")
def transformer():
    return models.build(ModelSource("vit", "vit", "test_vit", "random:1"))


@pytest.mark.parametrize("asks", [False, True], ids=["shapes", "numbers"])
def test_a_size_is_taken_if_a_real_pass_works(asks):
    network = network_of(Blocks(asks))
    for side in (64, 96, 104, 128, 192):
        try:
            network.module(torch.zeros(1, 3, side, 64))
            works = True
        except RuntimeError:
            works = False
        assert works == (side not in (96, 104))
        assert shapes.takes(network, END, (side, 64)) == works


def test_nothing_is_computed_where_shapes_are_enough():
    network = network_of(Blocks())
    shapes.takes(network, END, (64, 96))
    assert network.module.passes == 0


def test_a_copy_without_numbers_shares_nothing_with_its_model():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    bare = shapes.without_numbers(module)
    assert {tensor.device.type for tensor in (*bare.parameters(), *bare.buffers())} == {"meta"}
    assert {tensor.device.type for tensor in (*module.parameters(), *module.buffers())} == {"cpu"}


def test_a_model_of_one_size_sees_no_other(transformer):
    lucid = named("lucid", coarse_px=96, coarse_steps=4)
    fitting = channels.fitting(lucid, transformer, TOKENS, (160, 160))
    assert [name for name, _ in fitting.transforms] == ["jitter", "scale", "rotate", "jitter"]
    assert fitting.coarse_steps == 0
    assert channels.side_px(transformer, TOKENS, named("lucid")) == 160


def test_a_model_of_any_size_keeps_its_recipe():
    network = models.build(ModelSource("m", "m", "test_resnet", "random:1"))
    layer = LayerSpec("layer4", "bchw", 96, 5, 5, 32, 400, 0)
    lucid = named("lucid", coarse_px=96, coarse_steps=4)
    assert channels.fitting(lucid, network, layer, (160, 120)) == lucid


def test_dreams_round_their_sides_to_what_a_model_takes(transformer):
    photo = np.zeros((300, 451, 3), np.uint8)
    assert photographs.at_own_aspect(network_of(Blocks()), END, photo, 200).shape == (128, 192, 3)
    assert photographs.at_own_aspect(transformer, TOKENS, photo, 200).shape == (160, 160, 3)
