"""Priors and MaCo: what photographs have in common, measured by its definition and kept by the pictures."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import Photograph
from konvolut.asked.shards import PriorsShard
from konvolut.errors import UserError
from konvolut.network.models import DataConfig, Network
from konvolut.network.planes import mixing, normalise
from konvolut.pictures import ascent, images, parameters, priors, transforms
from konvolut.results import store

SIDE = 16
MACO = named("maco", steps=6, keep_every=3, size_px=SIDE, crops=3, retries=0)
LAYER = LayerSpec("", "bchw", 4, 8, 8, 1, 3, 0)


@pytest.fixture
def network():
    torch.manual_seed(0)
    data = DataConfig((3, 8, 8), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bicubic", 1.0, "center")
    return Network(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)).requires_grad_(False), {}, "", data)


def pictures(channels, count=6):
    return list(np.random.default_rng(channels).random((count, SIDE, SIDE, channels)))


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_priors_are_covariance_and_mean_strength_of_the_waves_of_independent_colours(channels):
    drawn = pictures(channels)
    found = priors.measure(drawn)
    values = np.concatenate([picture.reshape(-1, channels) for picture in drawn])
    covariance = np.cov(values.T, bias=True).reshape(channels, channels)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-6)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), atol=1e-6)
    whitening = np.linalg.inv(priors.root(covariance))
    for channel in range(channels):
        planes = [((picture - values.mean(axis=0)) @ whitening.T)[..., channel] for picture in drawn]
        expected = np.mean([np.abs(np.fft.fft2(plane))[:, : SIDE // 2 + 1] for plane in planes], axis=0)
        np.testing.assert_allclose(found.magnitude[channel], expected, rtol=1e-4, atol=1e-4)


def test_the_root_of_a_covariance_squared_is_the_covariance():
    factor = np.random.default_rng(0).random((3, 3))
    covariance = factor @ factor.T + np.eye(3) * 0.1
    np.testing.assert_allclose(priors.root(covariance) @ priors.root(covariance), covariance)
    assert np.isfinite(np.linalg.inv(priors.root(np.ones((3, 3))))).all()  # grey photographs


def test_a_file_of_priors_says_which_photographs_and_reads_back(tmp_path):
    photographs = []
    for number in range(2):
        images.write_png(tmp_path / f"{number}.png", (pictures(3)[number] * 255).astype(np.uint8))
        photographs.append(Photograph(str(number), str(number), str(tmp_path / f"{number}.png")))
    priors.write(PriorsShard(tuple(photographs), SIDE), tmp_path / "priors.h5")
    found = store.read_priors(tmp_path / "priors.h5")
    expected = priors.measure([images.read(photograph.path) / 255 for photograph in photographs])
    np.testing.assert_allclose(found.magnitude, expected.magnitude, rtol=1e-5)
    assert store.read_passport(tmp_path / "priors.h5")["photographs"] == ["0", "1"]


def test_a_maco_picture_has_the_photographs_magnitude_whatever_its_phases(network):
    measured = priors.measure(pictures(3))
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    shown = parameters.start_noise(MACO, network, generators, (SIDE, SIDE), measured).pictures().detach()
    planes = np.moveaxis(torch.logit(shown.double()).numpy(), 1, 3) @ np.linalg.inv(priors.root(measured.covariance)).T
    for planes_of_one in planes:
        strength = np.abs(np.fft.rfft2(planes_of_one, axes=(0, 1)))[1:8, 1:7]  # not the mean, not their own twins
        ratio = strength / np.moveaxis(measured.magnitude, 0, 2)[1:8, 1:7]
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)


def test_smaller_pictures_take_the_long_waves_and_larger_ones_are_refused():
    magnitude = torch.from_numpy(priors.measure(pictures(3)).magnitude)
    small = parameters.fitted_magnitude(magnitude, (8, 8))
    torch.testing.assert_close(small[:, 1, :5], magnitude[:, 1, :5] / 4)
    torch.testing.assert_close(small[:, -1, :5], magnitude[:, -1, :5] / 4)
    with pytest.raises(UserError, match="priors of 16 px are too small for pictures of 32 px"):
        parameters.fitted_magnitude(magnitude, (32, 32))


def test_maco_without_priors_is_refused(network):
    with pytest.raises(UserError, match="needs priors"):
        parameters.start_noise(MACO, network, [torch.Generator()], (SIDE, SIDE))


def test_crops_lie_inside_the_picture_and_shrink():
    matrices = transforms.draw_crops(200, 4, torch.Generator().manual_seed(0), (512, 224))
    share = matrices[..., 0, 0] * 224 / 512
    reach = matrices[..., :2, 2].abs() + (share * 256)[..., None]
    assert float(reach.max()) <= 256 + 1e-3
    assert float(share[:20].mean()) == pytest.approx(0.48, abs=0.03)
    assert float(share[-20:].mean()) < 0.12
    assert float(share.min()) >= 0.05 - 1e-6


def test_a_crop_of_everything_is_the_picture(network):
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    whole = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).expand(1, 1, 2, 2, 3)
    crops = transforms.Crops(whole, 8, 0.0, [torch.Generator()])
    torch.testing.assert_close(crops.of(picture, 0), picture.repeat(2, 1, 1, 1))


def test_a_unit_climbs_alone_as_beside_others_and_its_transparency_adds_up_gradients(network):
    measured = priors.measure(pictures(3))
    units = [ascent.UnitStart(channel, (channel,), priors=measured) for channel in (0, 1, 3)]
    network = dataclasses.replace(network, module=nn.Sequential(network.module))
    layer = dataclasses.replace(LAYER, name="0")
    recipe = dataclasses.replace(MACO, units_per_batch=3, learning_rate=0.1, steps=20, keep_every=10)
    together = ascent.ascend(network, layer, units, recipe, (SIDE, SIDE))
    alone = ascent.ascend(network, layer, units[1:2], recipe, (SIDE, SIDE))
    assert np.abs(alone.picture[0].astype(int) - together.picture[1]).max() <= 1
    np.testing.assert_allclose(alone.curve[0], together.curve[1], rtol=1e-3, atol=1e-4)
    assert together.transparency.shape == (3, SIDE, SIDE)
    one = ascent.ascend(
        network, layer, units[:1], dataclasses.replace(recipe, steps=1, crops=1, noise=0.0), (SIDE, SIDE)
    )
    assert (together.transparency[0] >= 0).all()
    assert 0 < (one.transparency[0] > 0).mean() < 1  # where the one crop looked, and nowhere else


def blobs(count=12):
    """Pictures (SIDE, SIDE, 3) of waves in correlated colours."""
    generator = np.random.default_rng(1)
    grey = generator.normal(size=(count, SIDE, SIDE, 1))
    return list(0.5 + 0.1 * (grey + 0.3 * generator.normal(size=(count, SIDE, SIDE, 3))))


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_priors_of_fewer_planes_are_nearly_those_that_are_measured_on_them(planes):
    matrix, drawn = mixing(planes), blobs(200)
    found = priors.of_planes(priors.measure(drawn), matrix)
    expected = priors.measure([picture @ matrix.T for picture in drawn])
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-4)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-4)
    assert np.abs(found.magnitude / expected.magnitude - 1).mean() < (0.05 if planes < 3 else 1e-3)


def of_channels(count):
    torch.manual_seed(0)
    numbers = (0.4, 0.5, 0.6, 0.4, 0.5)[:count], (0.2, 0.3, 0.4, 0.2, 0.3)[:count]
    data = DataConfig((count, SIDE, SIDE), *numbers, "bicubic", 1.0, "center")
    return Network(nn.Sequential(nn.Conv2d(count, 4, 3, padding=1)).requires_grad_(False), {}, "", data)


@pytest.mark.parametrize("name", ["lab", "timm-vis", "lucid", "konvolut", "maco"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_what_is_saved_is_what_a_model_of_any_number_of_channels_sees(name, channels):
    network = of_channels(channels)
    recipe = dataclasses.replace(
        named(name), steps=20, keep_every=0, retries=0, size_px=SIDE, coarse_steps=0, crops=0, transforms=(), noise=0.0
    )
    if name == "timm-vis":
        recipe = dataclasses.replace(recipe, weight_decay=0.0, clip=True)
    layer = dataclasses.replace(LAYER, name="0")
    unit = ascent.UnitStart(1, (1,), priors=priors.measure(blobs()))
    found = ascent.ascend(network, layer, [unit], recipe, (SIDE, SIDE))
    assert found.curve[0, -1] > found.curve[0, 0]
    x = normalise(network, torch.from_numpy(found.picture).permute(0, 3, 1, 2) / 255)
    maps = network.module(x)[0, 1]
    assert found.activation[0, 0] == pytest.approx(float(maps.mean()), abs=1e-4)
    if name not in ("lab", "timm-vis"):  # whose pixels may be cut off at black and white
        if recipe.objective[0][0] == "peaks":
            maps = maps.unfold(0, recipe.window, recipe.window).unfold(1, recipe.window, recipe.window).amax((2, 3))
        assert found.curve[0, -1] == pytest.approx(float(maps.mean()), abs=0.02)
    shades = found.picture[0].astype(int)
    if channels == 1:
        assert (shades == shades[..., :1]).all(), "grey"
    if channels == 2:
        assert (shades[..., 0] == shades[..., 2]).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["lab-dream", "konvolut-dream"])
def test_a_dream_of_a_model_of_any_number_of_channels_starts_from_its_photograph(name, channels):
    network = of_channels(channels)
    photo = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    start = parameters.start_pictures(named(name), network, photo)
    torch.testing.assert_close(start.seen().detach(), normalise(network, photo), atol=1e-3, rtol=1e-3)
