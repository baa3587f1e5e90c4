"""Seed 000, the lab notebook on DeepDream: its calls on its architectures, against its loop written out."""

import numpy as np
import pytest
import torch

from konvolut.asked.built_in import named
from konvolut.pictures import ascent
from seed_loops import STEPS, alive, as_tensor, as_u8, built, hooked, layer_of, photograph


@pytest.fixture(scope="module")
def resnet():
    return built("resnet152d")


@pytest.fixture(scope="module")
def vgg():
    return built("vgg19")


def deep_dream(network, image, module, num_filter, optim_fn):
    """The notebook's deep_dream: -mean of one channel, the optimiser on the normalised image; its losses."""
    image = image.clone().requires_grad_()
    optimizer = optim_fn(image)
    activations, handle = hooked(network.module, module)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        activations.clear()
        network.module.forward_features(image)
        loss = -torch.mean(activations[-1][0, num_filter])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    handle.remove()
    return image, losses


def compared(network, modules, number, picture, recipe, optim_fn, start):
    """The notebook's call on modules[0] and ours on modules[1]: curves within .5 %, changes of the picture alike."""
    image, losses = deep_dream(network, start, modules[0], number, optim_fn)
    units = [ascent.UnitStart(number, (7, 8, 9, 10), picture)]
    found = ascent.ascend(network, layer_of(network, modules[1]), units, recipe, start.shape[2:])
    np.testing.assert_allclose(-found.curve[0, :STEPS], losses, rtol=5e-3, atol=1e-4)
    assert losses[-1] < losses[0]
    before = as_u8(network, start).astype(float)
    ours, theirs = found.picture[0] - before, as_u8(network, image) - before
    return found, ours, theirs


DREAMS = [
    ("resnet", "layer1.0.conv1", 0, (64, 64)),
    ("resnet", "layer3.1.act3", 33, (65, 103)),  # the notebook's wide cat, 260 x 413, at a quarter of its sides
    ("resnet", "layer3.22.act3", 7, (65, 103)),
    ("vgg", "features.8", 2, (64, 64)),
    ("vgg", "features.17", 0, (64, 64)),
    ("vgg", "features.23", 60, (64, 64)),
]
# The ReLU behind this convolution works in place on what the notebook's hook kept: what it dreamt of is the ReLU.
KEPT = {"features.23": "features.24"}


@pytest.mark.parametrize(("model", "module", "number", "size"), DREAMS, ids=lambda part: str(part))
def test_dreams_are_the_notebooks(model, module, number, size, request):
    network, photo = request.getfixturevalue(model), photograph(*size)
    recipe = named("lab-dream", steps=STEPS, keep_every=5)
    assert (recipe.optimiser, recipe.learning_rate, recipe.weight_decay) == ("sgd", 12, 1e-4)
    start = as_tensor(network, photo)
    ours_module, number = KEPT.get(module, module), alive(network, module, number, start)

    def sgd(img):
        return torch.optim.SGD([img], lr=12, weight_decay=1e-4)

    found, ours, theirs = compared(network, (module, ours_module), number, photo, recipe, sgd, start)
    assert np.quantile(np.abs(ours - theirs), 0.99) <= 2
    assert found.step.tolist() == [5, 10, 15, 20]
    assert found.picture.shape == (1, *size, 3)


def test_the_vanilla_filter_visualisation_is_the_notebooks(vgg):
    recipe = named("lab", steps=STEPS, keep_every=5)
    assert (recipe.optimiser, recipe.learning_rate, recipe.weight_decay) == ("adam", 0.1, 1e-6)
    minval, maxval = 150 / 255, 180 / 255
    grey = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(7)) * (maxval - minval) + minval
    mean, std = (torch.tensor(v)[:, None, None] for v in (vgg.data.mean, vgg.data.std))
    start = ((grey - mean) / std)[None]

    def adam(img):
        return torch.optim.Adam([img], lr=0.1, weight_decay=1e-6)

    _, ours, theirs = compared(vgg, ("features.17", "features.17"), 0, None, recipe, adam, start)
    # Adam steps equally far where the gradient is nothing but rounding: pixels differ, the picture does not.
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9
