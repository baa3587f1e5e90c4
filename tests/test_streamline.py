"""Streamlined networks put out the same as before, with less work."""

import dataclasses

import pytest
import torch
from torch import nn

from konvolut.asked.settings import ModelSource
from konvolut.errors import UserError
from konvolut.network import models, streamline


def network_of(module):
    data = models.DataConfig((3, 16, 16), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    return models.Network(module.eval().requires_grad_(False), {}, "", data)


def with_statistics(module, seed=0):
    """Give normalisations other statistics than 0 and 1, so that leaving them out would show."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(torch.randn(part.num_features, generator=generator) * 0.1)
            part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
    return module


def outputs(module, layer, x):
    found = []
    handle = module.get_submodule(layer).register_forward_hook(lambda m, i, o: found.append(o.clone()))
    module(x)
    handle.remove()
    return found[0]


@pytest.fixture
def x():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("test_efficientnet", "blocks.1"),
        ("test_efficientnet", "bn1"),
        ("test_efficientnet", "conv_stem"),
        ("test_resnet", "layer3"),
        ("test_byobnet", "stages.2"),
        ("test_convnext", "stages.1"),
    ],
)
def test_a_streamlined_layer_puts_out_the_same(name, layer, x):
    network = models.build(ModelSource("m", "m", name, "random:3"))
    with_statistics(network.module)
    before = outputs(network.module, layer, x)
    lean = streamline.streamlined(network, layer)
    torch.testing.assert_close(outputs(lean.module, layer, x), before, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs(network.module, layer, x), before, atol=0, rtol=0)


def test_vgg_keeps_no_normalisation_and_puts_out_the_same(x):
    source = ModelSource("m", "m", "vgg11_bn", "random:3", (("mlp_ratio", 0.02),))
    network = models.build(source)
    with_statistics(network.module)
    before = outputs(network.module, "features.12", x)  # a normalisation, before its ReLU
    lean = streamline.streamlined(network, "features.13")
    assert not [part for part in lean.module.features if isinstance(part, nn.BatchNorm2d)]
    torch.testing.assert_close(outputs(lean.module, "features.13", x), before.relu(), atol=1e-4, rtol=1e-4)
    kept = streamline.streamlined(network, "features.12")  # whose output is asked for
    torch.testing.assert_close(outputs(kept.module, "features.12", x), before, atol=1e-4, rtol=1e-4)


def test_linear_maps_of_vectors_round_alike_in_any_batch():
    generator = torch.Generator().manual_seed(0)
    network = network_of(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 1000)))
    lean = streamline.streamlined(network, "2").module
    vectors = torch.randn(9, 3, 4, 4, generator=generator)
    together = lean(vectors)
    for rows in (slice(0, 2), slice(3, 8), slice(8, 9)):
        assert torch.equal(lean(vectors[rows]), together[rows])
    torch.testing.assert_close(together, network.module(vectors))


@pytest.mark.parametrize(("name", "layer"), [("test_resnet", "layer3"), ("test_efficientnet", "blocks.3")])
def test_gradients_of_a_streamlined_layer_are_the_same(name, layer, x):
    network = models.build(ModelSource("m", "m", name, "random:3"))
    with_statistics(network.module)
    gradients = []
    for module in (network.module, streamline.streamlined(network, layer).module):
        inputs = x.clone().requires_grad_()
        gradients.append(torch.autograd.grad(outputs(module, layer, inputs).square().mean(), inputs)[0])
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5 * float(gradients[0].abs().max()), rtol=1e-3)


def test_no_normalisation_is_left_in_an_efficientnet():
    network = models.build(ModelSource("m", "m", "test_efficientnet", "random:3"))
    lean = streamline.streamlined(network, "conv_head")
    below = [m for m in lean.module.blocks.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not below
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.module.blocks.modules())


class Forked(nn.Module):
    """A convolution whose output is normalised and also used as it is: folding would change the sum."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.end = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Identity()

    def forward(self, x):
        x = self.conv(x)
        return self.end(self.norm(x) + x)


def test_a_convolution_that_is_used_twice_is_not_folded(x):
    network = network_of(with_statistics(Forked()))
    lean = streamline.streamlined(network, "end")
    assert isinstance(lean.module.norm, nn.BatchNorm2d)
    torch.testing.assert_close(lean.module(x), network.module(x), atol=1e-5, rtol=1e-5)


def test_the_rest_of_the_network_stays_as_it_was():
    network = network_of(Forked())
    assert dataclasses.replace(streamline.streamlined(network, "conv"), module=None) == dataclasses.replace(
        network, module=None
    )


def test_no_hook_is_left_behind():
    network = network_of(Forked())
    lean = streamline.streamlined(network, "end")
    for module in (network.module, lean.module):
        assert not [part for part in module.modules() if part._forward_hooks or part._forward_pre_hooks]


def test_bfloat16_on_a_cpu_that_cannot_is_refused_in_one_sentence(monkeypatch):
    network = streamline.streamlined(models.build(ModelSource("m", "m", "test_resnet", "random:0")), "layer1")
    monkeypatch.setattr(streamline, "computes_in_bfloat16", lambda device: False)
    with pytest.raises(UserError, match=r"precision: bfloat16: this CPU cannot compute in it.*possible: auto, float32"):
        streamline.narrowed(network, "bfloat16")
    assert streamline.narrowed(network, "float32") is network
