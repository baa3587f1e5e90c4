"""Seed 002, a collection of CNN visualisations: feature maps, kernels, vanilla and guided gradients, dreams of VGG."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from konvolut.asked.recipes import named
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import KernelsShard
from konvolut.network import record
from konvolut.network.census import census
from konvolut.pictures import ascent
from konvolut.results import contents, store
from konvolut.techniques import activations, attributions, classes, kernels, refusals, saliency
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
    kept = activations.narrowed(shown.numpy(), "float16")
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


def dream(network, base, iterations, lr, score):
    """Its deep_dream: steps of lr / mean |gradient|, kept between black and white; the scores on the way."""
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (network.data.mean, network.data.std))
    image, scores = base.clone().requires_grad_(), []
    for _ in range(iterations):
        (gradient,) = torch.autograd.grad(value := score(image), image)
        image = image.detach() + lr / gradient.abs().mean() * gradient
        image = torch.maximum(torch.minimum(image, (1 - mean) / std), -mean / std).requires_grad_()
        scores.append(value.item())
    return image.detach(), scores


def improved(network, image, score, octaves=4, scale=1.4, iterations=5, lr=0.01):
    """Its deep_dream_improved, by scipy's zoom: smaller and smaller bases, the detail of each enlarged for the next."""
    bases, scores = [image.numpy()], []
    for _ in range(octaves - 1):
        height, width = (round(side / scale) for side in bases[-1].shape[2:])
        factors = (1, 1, height / bases[-1].shape[2], width / bases[-1].shape[3])
        bases.append(ndimage.zoom(bases[-1], factors, order=1))
    detail = np.zeros_like(bases[-1])
    for base in bases[::-1]:
        detail = ndimage.zoom(detail, np.array(base.shape) / np.array(detail.shape), order=1)
        dreamed, own = dream(network, torch.tensor(base + detail), iterations, lr, score)
        detail = dreamed.numpy() - base
        scores += [value - score(torch.tensor(base)).item() for value in own]
    return dreamed, scores


def of_layer(network, number, pick):
    """A score of what its first `number` + 1 layers make of an image."""

    def score(image):
        for part in list(network.module.features)[: number + 1]:
            image = part(image)
        return pick(image)

    return score


ALL_CHANNELS = {"norm": lambda x: x.norm(), "layer": lambda x: x.square().mean()}


@pytest.mark.parametrize("term", ["mean", *ALL_CHANNELS])
def test_the_improved_dream_is_its_pyramid(term):
    """For one channel and for all, 4 sizes of 5 steps: curves within .5 %, 99 % of the colours within 2 of 255."""
    network, photo = built("vgg19"), photograph(61, 83)
    start = as_tensor(network, photo)
    number = alive(network, "features.24", 45, start)
    pick = ALL_CHANNELS.get(term, lambda x: x[0, number].mean())
    expected, scores = improved(network, start, of_layer(network, 24, pick))
    recipe = named("octave", objective=((term, 1.0),), octaves=4, steps=5, keep_every=5, retries=0)
    assert (recipe.learning_rate, recipe.octave_scale, named("octave").octaves, named("octave").steps) == (
        0.01,
        1.4,
        10,
        20,
    )
    unit = ascent.UnitStart(number if term == "mean" else ascent.WHOLE_LAYER, (1, 2, 3, 4), photo)
    found = ascent.ascend(network, layer_of(network, "features.24"), [unit], recipe, (61, 83))
    np.testing.assert_allclose(found.curve[0, :STEPS], scores, rtol=5e-3, atol=5e-3 * max(scores))
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, expected)), 0.99) <= 2


def test_all_channels_of_layer_34_dream_as_it_says():
    """Its deep dream of all channels: the length of what the ReLU behind layer 34 of VGG19 puts out."""
    network, photo = built("vgg19"), photograph(64, 64)
    values, score = as_tensor(network, photo), of_layer(network, 35, ALL_CHANNELS["norm"])
    expected, scores = dream(network, values, STEPS, 0.01, score)
    recipe = named("octave", objective=(("norm", 1.0),), octaves=1, steps=STEPS, retries=0)
    unit = ascent.UnitStart(ascent.WHOLE_LAYER, (1, 2, 3, 4), photo)
    found = ascent.ascend(network, layer_of(network, "features.35"), [unit], recipe, (64, 64))
    np.testing.assert_allclose(found.curve[0, :STEPS], scores, rtol=5e-3)
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, expected)), 0.99) <= 5


@pytest.mark.parametrize(("regularisation", "size"), [("l1", 1), ("l2", 2)])
def test_the_ascent_of_a_class_is_its_formula(regularisation, size):
    """argmax S_c(I) - lambda ||I||² from I = 0, and the same with the L1 norm, as its pictures are labelled."""
    network, strength = built("resnet50"), 1e-4
    image, curve = torch.zeros(1, 3, 64, 64, requires_grad=True), []
    for _ in range(STEPS):
        value = network.module(image)[0, 52] - strength * (image.abs() ** size).sum()
        (gradient,) = torch.autograd.grad(value, image)
        image = (image.detach() + 0.5 * gradient).requires_grad_()
        curve.append(value.item())
    recipe = named(
        "timm-vis", start="zero", learning_rate=0.5, weight_decay=0.0, steps=STEPS, **{regularisation: strength}
    )
    found = classes.picture(network, layer_of(network, ""), 52, recipe, 7, None, 64)
    np.testing.assert_allclose(found.curve[:STEPS], curve, rtol=5e-3, atol=1e-4)
    assert np.abs(found.picture.astype(int) - as_u8(network, image)).max() <= 2
