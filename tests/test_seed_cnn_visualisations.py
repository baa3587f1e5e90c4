"""Seed 002, a collection of CNN visualisations: feature maps, kernels, vanilla and guided gradients, dreams of VGG."""

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked.recipes import named
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import KernelsShard
from konvolut.network import record
from konvolut.network.census import census
from konvolut.pictures import ascent
from konvolut.results import contents, store
from konvolut.techniques import activations, attributions, kernels, refusals, saliency
from seed_loops import STEPS, alive, as_tensor, as_u8, built, hooked, layer_of, photograph


@pytest.fixture(scope="module")
def vgg16():
    return built("vgg16")


@pytest.fixture(scope="module")
def image(vgg16):
    return as_tensor(vgg16, photograph(224, 224))


@pytest.mark.parametrize("number", [1, 6, 15, 29])
def test_feature_maps_are_those_of_the_layers_that_it_shows(vgg16, image, number):
    x = image
    for part in list(vgg16.module.features)[: number + 1]:
        x = part(x)
    layer = layer_of(vgg16, f"features.{number}")
    with torch.no_grad(), record.record(vgg16.module, [layer]) as recording:
        shown = recording.run(vgg16.module, image)[layer.name]
    kept = activations.summarise(shown, dtype="float16")["maps"]
    np.testing.assert_allclose(kept, x.detach().numpy(), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("timm_name", "layers"), [("resnet50", ("conv1", "layer2.0.conv1")), ("vgg16", ("features.0",))]
)
def test_kernels_are_the_raw_weights(tmp_path, timm_name, layers):
    source = ModelSource("m", "m", timm_name, "random:0")
    kernels.compute(KernelsShard(source, layers), tmp_path / "k.h5")
    found = store.read_named(tmp_path / "k.h5", contents.Kernels)
    parameters = dict(built(timm_name).module.named_parameters())
    for layer in layers:
        assert np.array_equal(found[layer].weight, parameters[f"{layer}.weight"].numpy())


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(context, grad):
        (x,) = context.saved_tensors
        return grad * (x > 0) * (grad > 0)


@pytest.mark.parametrize("guided", [False, True], ids=["vanilla", "guided"])
def test_gradients_in_colours_are_those_of_its_two_ways_back(vgg16, image, guided):
    x = image.clone().requires_grad_()
    y = x
    for part in vgg16.module.features:
        y = (GuidedReLU.apply(y) if guided else y.clamp(min=0)) if isinstance(part, nn.ReLU) else part(y)
    logits = vgg16.module.head(_rest(vgg16.module.pre_logits, y, guided))
    (expected,) = torch.autograd.grad(logits[0, 243], x)
    targets = torch.tensor([243])
    if guided:
        assert refusals.refusal(vgg16, "guided_backpropagation", census(vgg16)) == ""
        question = attributions.Question(vgg16, image, targets, torch.zeros_like(image), (), "")
        found = attributions.attribute("guided_backpropagation", question)
    else:
        found = saliency.gradient(vgg16, image, targets)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def _rest(pre_logits, y, guided):
    for part in pre_logits.children():
        y = (GuidedReLU.apply(y) if guided else y.clamp(min=0)) if isinstance(part, nn.ReLU) else part(y)
    return y


def test_one_channel_of_layer_34_dreams_as_it_says():
    """Its deep dream: filter 45 of layer 34 of VGG19, whose ReLU (35) works in place on what a hook kept."""
    network, photo = built("vgg19"), photograph(64, 64)
    values = as_tensor(network, photo).requires_grad_()
    optimiser = torch.optim.SGD([values], lr=12, weight_decay=1e-4)
    kept, handle = hooked(network.module, "features.34")
    curve, number = [], alive(network, "features.34", 45, values)
    for _ in range(STEPS):
        optimiser.zero_grad()
        kept.clear()
        network.module.forward_features(values)
        objective = kept[0][0, number].mean()
        (-objective).backward()
        optimiser.step()
        curve.append(objective.item())
    handle.remove()
    unit = ascent.UnitStart(number, (1, 2, 3, 4), photo)
    found = ascent.ascend(network, layer_of(network, "features.35"), [unit], named("lab-dream", steps=STEPS), (64, 64))
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=5e-3, atol=1e-5)
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, values)), 0.99) <= 2
