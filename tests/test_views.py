"""What an objective sees: several layers of one pass, and what went into their activations."""

import pytest
import torch
from torch import nn

from konvolut.asked.censuses import LayerSpec
from konvolut.network import models
from konvolut.pictures import views


class Small(nn.Module):
    """A convolution, an activation and a block that ends with the activation that was used before."""

    def __init__(self, activation):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3, padding=1), activation
        self.block = nn.Sequential(nn.Conv2d(4, 5, 1), activation)
        self.after = nn.Conv2d(5, 2, 1)

    def forward(self, x):
        return self.after(self.block(self.act(self.conv(x))))


ACTIVATIONS = [nn.ReLU(), nn.ReLU(inplace=True), nn.SiLU(), nn.Hardswish(inplace=True)]


def spec(name, channels):
    return LayerSpec(name, "bchw", channels, 6, 6, 1, 3, 0)


@pytest.fixture
def x():
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def network_of(activation):
    torch.manual_seed(0)
    data = models.DataConfig((3, 6, 6), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    return models.Network(Small(activation).eval().requires_grad_(False), {}, "", data)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_linear_is_what_went_into_the_last_activation(x, activation):
    network = network_of(activation)
    module = network.module
    layers = [spec("act", 4), spec("block", 5), spec("after", 2)]
    seen = views.viewer(network, layers, ["act", "block", "after"])(x)
    first = module.conv(x)
    torch.testing.assert_close(seen["act"].linear, first)
    second = module.block[0](activation(first.clone()))
    torch.testing.assert_close(seen["block"].linear, second)
    torch.testing.assert_close(seen["block"].output, activation(second.clone()))
    assert seen["after"].linear is seen["after"].output
    assert seen["after"].grid == (6, 6)


def test_the_gradient_passes_where_the_activation_is_off(x):
    network = network_of(nn.ReLU(inplace=True))
    network.module.conv.bias.data -= 100
    x.requires_grad_()
    seen = views.viewer(network, [spec("act", 4)], ["act"])(x)["act"]
    assert not seen.output.any()
    seen.linear.mean().backward()
    assert x.grad.abs().max() > 0


def test_no_hook_is_left_even_after_an_exception(x):
    network = network_of(nn.ReLU())
    with pytest.raises(RuntimeError):
        views.viewer(network, [spec("block", 5)], ["block"])(x[:, :2])
    parts = list(network.module.modules())
    assert not [part for part in parts if part._forward_hooks or part._forward_pre_hooks]
