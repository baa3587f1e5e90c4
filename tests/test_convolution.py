"""Frozen convolutions against torch's own, and gradients that go back through them."""

import pytest
import torch
from torch import nn

from konvolut.asked.settings import ModelSource
from konvolut.network import convolution, models, streamline
from konvolut.network.convolution import Convolution
from konvolut.pictures.leaks import SLOPE, leaking

# in, out, kernel, stride, groups, side, padding, dilation
SHAPES = [
    (8, 8, 3, 2, 8, 12, 1, 1),
    (8, 8, 3, 2, 8, 13, 0, 1),
    (8, 8, 5, 2, 8, 14, 2, 1),
    (8, 8, 5, 1, 8, 9, 2, 1),
    (8, 8, 3, 1, 8, 9, 0, 1),
    (8, 8, 3, 1, 8, 9, 2, 2),
    (8, 16, 3, 2, 2, 9, 1, 1),
    (3, 16, 3, 2, 1, 17, 1, 1),
    (3, 16, 7, 2, 1, 22, 3, 1),
    (3, 16, 7, 2, 1, 23, 3, 1),
    (4, 8, 5, 3, 1, 13, 2, 1),
    (3, 16, 4, 4, 1, 16, 0, 1),
    (8, 16, 1, 1, 1, 7, 0, 1),
    (8, 16, 1, 2, 1, 7, 0, 1),
    (8, 16, 3, 1, 1, 7, 1, 1),
]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def tensorflows_padding(x, conv):
    """TensorFlow's SAME: as many outputs as inputs over the stride, the odd pixel of padding at the end."""
    pads = []
    for side, kernel, step, dilation in zip(x.shape[:1:-1], conv.kernel_size, conv.stride, conv.dilation, strict=True):
        total = max((-(-side // step) - 1) * step + (kernel - 1) * dilation + 1 - side, 0)
        pads += [total // 2, total - total // 2]
    return nn.functional.pad(x, pads)


class Conv2dSame(nn.Conv2d):
    """Named and padded like timm's."""

    def forward(self, x):
        return super().forward(tensorflows_padding(x, self))


@pytest.mark.parametrize("kind", [nn.Conv2d, Conv2dSame])
@pytest.mark.parametrize("activation", [None, nn.ReLU(), nn.ReLU6()], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_frozen_convolution_and_its_gradient_are_torchs(kind, activation, shape, generator):
    inputs, outputs, kernel, stride, groups, side, padding, dilation = shape
    padding = 0 if kind is Conv2dSame else padding
    conv = kind(inputs, outputs, kernel, stride, padding, dilation, groups).requires_grad_(False)
    conv = conv.to(memory_format=torch.channels_last)
    x = (3 * torch.randn(2, inputs, side, side + 3, generator=generator)).requires_grad_()
    expected = conv(x) if activation is None else activation(conv(x))
    found = Convolution(conv, activation)(x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    above = torch.randn(expected.shape, generator=generator)
    gradients = [torch.autograd.grad(output, x, above)[0] for output in (found, expected)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("pad", "step"), [((1, 1), 1), ((0, 1), 2), ((1, 2), 2), ((1, 3), 4)])
def test_a_symmetric_padding_adds_outputs_at_the_start_alone(pad, step):
    padding, surplus = convolution.symmetric(*pad, step)
    assert padding == pad[0] + surplus * step >= pad[1]


def test_a_gradient_leaks_through_an_activation_that_is_off(generator):
    conv = nn.Conv2d(2, 4, 1).requires_grad_(False)
    conv.bias.fill_(-100.0)
    part, x = Convolution(conv, nn.ReLU()), torch.randn(2, 2, 5, 5, generator=generator, requires_grad=True)
    assert not torch.autograd.grad(part(x).sum(), x)[0].any()
    with leaking(part):
        (found,) = torch.autograd.grad(part(x).sum(), x)
    (linear,) = torch.autograd.grad(conv(x).sum(), x)
    torch.testing.assert_close(found, SLOPE * linear)
    assert not torch.autograd.grad(part(x).sum(), x)[0].any()


def test_weights_that_change_in_each_pass_are_left_alone():
    standardised = models.build(ModelSource("m", "m", "test_nfnet", "random:0")).module
    convolutions = [part for part in standardised.modules() if isinstance(part, nn.Conv2d)]
    assert not any(convolution.can_freeze(part) for part in convolutions if type(part) is not nn.Conv2d)


def test_an_activation_goes_into_the_convolution_before_it_but_not_that_which_ends_the_layer():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.ReLU(inplace=True))
    data = models.DataConfig((3, 16, 16), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    network = models.Network(module.eval().requires_grad_(False), {}, "", data)
    first, between, second, last = streamline.streamlined(network, "3").module
    assert isinstance(first.activation, nn.ReLU)
    assert isinstance(between, nn.Identity)
    assert second.activation is None
    assert isinstance(last, nn.ReLU)
    assert type(module[0]) is nn.Conv2d
