"""Seed 002, a collection of CNN visualisations: feature maps, kernels, vanilla and guided gradients, dreams of VGG."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from scipy import ndimage
from torch import nn

from konvolut.asked.built_in import named
from konvolut.asked.settings import AtlasSettings, ModelSource
from konvolut.asked.shards import KernelsShard
from konvolut.atlas import series, tiles
from konvolut.atlas.inputs import LayerInputs
from konvolut.network import record
from konvolut.network.census import census
from konvolut.pictures import ascent, images
from konvolut.results import contents, store
from konvolut.techniques import activations, attributions, classes, kernels, refusals, saliency
from seed_loops import STEPS, alive, as_tensor, as_u8, built, hooked, layer_of, photograph, with_offsets
from synthetic_results import PASSPORT

STRENGTH = 1e-4  # of what is taken off for the size of a picture


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


@pytest.mark.parametrize(
    ("timm_name", "options", "layer", "shape"),
    [
        ("vit_tiny_patch16_224", (("patch_size", 11),), "patch_embed.proj", (192, 3, 11, 11)),  # as large as AlexNet's
        ("densenet121", (), "features.conv0", (64, 3, 7, 7)),
        ("densenet121", (), "features.denseblock2.denselayer5.conv2", (32, 128, 3, 3)),
    ],
)
def test_kernels_of_first_layers_are_shown_in_colours_and_of_others_in_planes(
    tmp_path, timm_name, options, layer, shape
):
    """The large pictures of the layer's page, cell by cell: colours around grey, or red above and blue below white."""
    source = ModelSource("m", "m", timm_name, "random:0", options=options)
    kernels.compute(KernelsShard(source, (layer,)), tmp_path / "k.h5")
    weight = store.read_named(tmp_path / "k.h5", contents.Kernels)[layer].weight
    assert weight.shape == shape
    limits = AtlasSettings()
    (made,) = tiles.write_kernels(LayerInputs("", "", layer, (), limits, kernels=tmp_path / "k.h5"), tmp_path)
    assert made.channels == list(range(len(weight)))
    sheet = images.read(tmp_path / "large-kernels-0.webp").astype(int)
    for channel in (0, 1):
        tile = sheet[: limits.large_px, channel * limits.large_px : (channel + 1) * limits.large_px]
        scaled = weight[channel] / np.abs(weight[channel]).max()
        if shape[1] == 3:
            middles = (np.arange(shape[2]) + 0.5) * limits.large_px / shape[2]
            cells = tile[np.ix_(middles.astype(int), middles.astype(int))]
            assert np.abs(cells - (scaled.transpose(1, 2, 0) + 1) / 2 * 255).mean() < 8, "but for what WebP loses"
        else:
            # 128 planes in 11 rows of 12, a weight apart, in the middle of a square of 47 x 47 weights.
            places = [(2 + number // 12 * 4 + 1.5, number % 12 * 4 + 1.5) for number in range(shape[1])]
            middles = (np.array(places) * limits.large_px / 47).astype(int)
            red_over_blue = [tile[y, x, 0] - tile[y, x, 2] for y, x in middles]
            assert np.corrcoef(red_over_blue, np.sign(scaled[:, 1, 1]) * np.abs(scaled[:, 1, 1]) ** 0.5)[0, 1] > 0.8


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


@pytest.mark.parametrize(("term", "shades"), [("mean", 4), *((term, 2) for term in ALL_CHANNELS)])
def test_the_improved_dream_is_its_pyramid(term, shades):
    """For one channel and for all, 4 sizes of 5 steps: curves within .5 %, 99 % of the colours within 2 of 255; for
    one channel, whose ascent is the more chaotic one, within 4 (2 with AVX-512, 3 with AVX2)."""
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
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, expected)), 0.99) <= shades


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
    network, strength = with_offsets("resnet50"), STRENGTH
    image, curve = torch.zeros(1, 3, 64, 64, requires_grad=True), []
    for _ in range(STEPS):
        value = network.module(image)[0, 52] - strength * (image.abs() ** size).sum()
        (gradient,) = torch.autograd.grad(value, image)
        image = (image.detach() + 50 * gradient).requires_grad_()
        curve.append(value.item())
    recipe = named(
        "timm-vis", start="zero", learning_rate=50.0, weight_decay=0.0, steps=STEPS, **{regularisation: strength}
    )
    whole = classes.whole_model(layer_of(network, ""), network)
    found = ascent.ascend(network, whole, [ascent.UnitStart(52, (7,), is_class=True)], recipe, (64, 64))
    assert curve[-1] > curve[0] + 0.01, "it moved"
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=5e-3, atol=1e-4)
    assert np.abs(found.picture[0].astype(int) - as_u8(network, image)).max() <= 2


# The filters that it shows, and steps at which their pictures of random weights rise and do not fall apart.
FILTERS = [(12, 5, 100.0), (24, 25, 10.0)]


def risen_filter(network, number, channel, rate):
    no_other = {"weight_decay": 0.0, "steps": STEPS, "keep_every": 5}
    recipe = named("timm-vis", start="zero", learning_rate=rate, l2=STRENGTH, **no_other)
    layer, unit = layer_of(network, f"features.{number}"), ascent.UnitStart(channel, (7,))
    return ascent.ascend(network, layer, [unit], recipe, (64, 64))


@pytest.mark.parametrize(("number", "channel", "rate"), FILTERS)
def test_the_ascent_of_a_filter_is_its_formula(number, channel, rate):
    """argmax M_ij(I) - lambda ||I||² from I = 0: curve within .5 %, 99 % of the colours within 2 of 255.

    The formula is followed in float64: after so many steps, each of rate 100, two orders of float32's sums differ by 2.
    """
    network, curve = with_offsets("vgg16"), []
    network.module.double()
    image = torch.zeros(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    score = of_layer(network, number, lambda x: x[0, channel].mean())
    for _ in range(STEPS):
        value = score(image) - STRENGTH * image.square().sum()
        (gradient,) = torch.autograd.grad(value, image)
        image = (image.detach() + rate * gradient).requires_grad_()
        curve.append(value.item())
    found = risen_filter(with_offsets("vgg16"), number, channel, rate)
    assert curve[-1] > curve[0] + 0.02, "it moved"
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=5e-3)
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, image)), 0.99) <= 2


def test_the_animation_of_a_filter_shows_the_way_to_its_picture(tmp_path):
    """Frame by frame, with larger steps: WebP makes one frame of two that are all but alike."""
    number, channel, rate = FILTERS[0]
    found = risen_filter(with_offsets("vgg16"), number, channel, 10 * rate)
    store.write_pictures(tmp_path / "a.h5", "channels", {"noise": found}, PASSPORT)
    inputs = LayerInputs("", "", "layer", (), AtlasSettings(animations=True), channels=(tmp_path / "a.h5",))
    series.write_optimised(inputs, tmp_path, None)
    with Image.open(tmp_path / f"ascent-channels-{channel}.webp") as moving:
        shown = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(moving)]
    distance = np.array([[np.abs(frame - kept).mean() for kept in found.intermediate[0]] for frame in shown])
    assert distance.argmin(1).tolist() == [0, 1, 2, 3], "the last step is the finished picture"
    assert distance.min(1).max() < 10, "but for what WebP loses"
