"""Seed 001, the lab notebook on saliency maps: get_saliency_map and merge_saliency_and_img written out."""

import numpy as np
import pytest
import torch

from konvolut.atlas.attributions import write_maps
from konvolut.pictures import colours, images
from konvolut.results import contents
from konvolut.techniques import attributions, saliency
from seed_loops import as_tensor, built, photograph


@pytest.fixture(scope="module")
def network():
    return built("resnet152d")


def get_saliency_map(sample, net, category=None):
    net.eval()
    sample.requires_grad = True
    y_hat = net(sample)
    if category is None:
        category = y_hat.argmax().item()
    category_onehot = torch.zeros(y_hat.shape)
    category_onehot[:, category] = 1
    y_hat.backward(gradient=category_onehot)
    saliency_map = sample.grad[0].abs().max(dim=0)[0]
    return (saliency_map - saliency_map.min()) / (saliency_map.max() - saliency_map.min())


@pytest.mark.parametrize("category", [None, 166], ids=["predicted", "given"])
def test_the_vanilla_map_is_the_notebooks(network, category):
    sample = as_tensor(network, photograph(128, 128))
    expected = get_saliency_map(sample.clone(), network.module, category)
    targets = network.module(sample).argmax(1) if category is None else torch.tensor([category])
    found = colours.scaled01(attributions.vanilla(saliency.gradient(network, sample, targets))[0].numpy())
    assert np.allclose(found, expected, atol=1e-4)


def test_the_overlay_is_the_notebooks(network):
    """cv2.addWeighted(image, .15, map, .85, 0) of the map cut to 8 bits; ours is rounded: one level apart at most."""
    photo = photograph(128, 128)
    shown = get_saliency_map(as_tensor(network, photo), network.module).numpy()
    grey = np.repeat((shown * 255).astype(np.uint8)[..., None], 3, axis=2)
    expected = np.rint(0.15 * photo.astype(float) + 0.85 * grey)
    found = colours.overlay(photo, shown)
    assert np.abs(found - expected).max() <= 1


def test_the_atlas_shows_the_notebooks_overlay(tmp_path, monkeypatch):
    """A few cells far above all others are no reason to scale the others up: from minimum to maximum, as there."""
    rng, written = np.random.default_rng(0), {}
    monkeypatch.setattr(images, "write_webp", lambda path, picture, quality: written.update({path.name: picture}))
    values = rng.gamma(0.3, 1, (1, 1, 128, 128)).astype(np.float32)
    photo, sure = photograph(128, 128), np.ones((1, 1), np.float32)
    maps = contents.Saliency(["p"], photo[None], np.full((1, 1), 7), [["cat"]], sure, {"vanilla": values})
    write_maps(maps, 0, 0, tmp_path, "net")
    grey = ((values[0, 0] - values.min()) / (values.max() - values.min()) * 255).astype(np.uint8)
    expected = np.rint(0.15 * photo.astype(float) + 0.85 * grey[..., None])
    assert np.abs(written["net-0-lab.webp"] - expected).max() <= 1
