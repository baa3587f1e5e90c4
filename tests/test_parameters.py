"""Parameterisations: the Fourier one against its definition summed wave by wave, and what starts look like."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked.built_in import named
from konvolut.network.models import DataConfig, Network
from konvolut.pictures import parameters

ODD_AND_EVEN = [(7, 9), (8, 6), (5, 8), (6, 7), (1, 4)]
LUCID = named("lucid")


@pytest.fixture
def network():
    data = DataConfig((3, 8, 8), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bicubic", 1.0, "center")
    return Network(nn.Conv2d(3, 4, 1), {}, "", data)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def waves_summed(spectrum: np.ndarray, height: int, width: int) -> np.ndarray:
    """The real picture whose half spectrum (H, W // 2 + 1) is given, one wave after the other."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.zeros((height, width))
    for k in range(height):
        for m in range(width // 2 + 1):
            twin = 1 if m == 0 or 2 * m == width else 2  # the conjugate wave that a half spectrum leaves out
            angle = 2 * math.pi * (k * rows / height + m * columns / width)
            picture += twin * (spectrum[k, m] * np.exp(1j * angle)).real / (height * width)
    return picture


def lucids_scale(height: int, width: int) -> np.ndarray:
    scale = np.zeros((height, width // 2 + 1))
    for k in range(height):
        for m in range(width // 2 + 1):
            vertical = min(k, height - k) / height
            f = math.sqrt(vertical**2 + (m / width) ** 2)
            scale[k, m] = math.sqrt(width * height) / max(f, 1 / max(width, height))
    return scale


@pytest.mark.parametrize("decorrelate", [True, False], ids=["decorrelated", "plain"])
@pytest.mark.parametrize("size", ODD_AND_EVEN, ids=str)
def test_a_fourier_picture_is_its_waves_summed_coloured_and_squashed(network, size, decorrelate):
    start = parameters.start_noise(named("lucid", decorrelate=decorrelate), network, generators(3), size)
    values = start.values.detach().double().numpy()[0]
    planes = [waves_summed((v[..., 0] + 1j * v[..., 1]) * lucids_scale(*size), *size) / 4 for v in values]
    colours = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    colours /= np.sqrt((colours**2).sum(axis=0)).max()
    if not decorrelate:
        colours = np.eye(3) / math.sqrt(3)
    expected = 1 / (1 + np.exp(-np.einsum("ij,jhw->ihw", colours, np.array(planes))))
    np.testing.assert_allclose(start.pictures().detach().numpy()[0], expected, atol=1e-5)


def test_the_start_is_normal_noise_of_lucids_deviation(network):
    values = parameters.start_noise(LUCID, network, generators(1), (64, 64)).values.detach()
    assert float(values.std()) == pytest.approx(0.01, rel=0.03)
    assert float(values.mean()) == pytest.approx(0, abs=3e-4)


def test_more_decay_strengthens_long_waves_and_leaves_those_of_16_pixels():
    plain, steep = parameters.spectrum_scale(64, 64), parameters.spectrum_scale(64, 64, 1.5)
    ratio = steep / plain
    assert float(ratio[0, 4]) == pytest.approx(1)  # 4 waves in 64 px
    assert float(ratio[0, 1]) == pytest.approx(2)  # a wave four times as long, to the power of one half
    assert float(ratio[0, 16]) == pytest.approx(0.5)


def test_a_smaller_size_shows_the_same_waves_on_a_coarser_grid(network):
    start = parameters.start_noise(LUCID, network, generators(5), (12, 20))
    with torch.no_grad():
        low = torch.zeros_like(start.values)
        low[:, :, [0, 1, 2, -1, -2], :4] = 30 * start.values[:, :, [0, 1, 2, -1, -2], :4]
        start.values.copy_(low)
    full, small = start.planes(), start.planes((6, 10))
    torch.testing.assert_close(small, full[:, :, ::2, ::2], atol=1e-5, rtol=0)
    assert float(full.detach().std()) > 0.01


@pytest.mark.parametrize("size", ODD_AND_EVEN, ids=str)
@pytest.mark.parametrize("name", ["lucid", "konvolut-dream"])
def test_a_photograph_as_start_shows_itself_but_for_black_and_white(network, size, name):
    photo = torch.rand(2, 3, *size, generator=generators(7)[0])
    shown = parameters.start_pictures(named(name), network, photo).pictures()
    torch.testing.assert_close(shown, photo.clamp(0.02, 0.98), atol=1e-4, rtol=0)


def test_pixels_are_the_normalised_picture_and_come_back(network):
    photo = torch.rand(1, 3, 5, 7, generator=generators(8)[0])
    start = parameters.start_pictures(named("lab"), network, photo)
    expected = (photo - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    torch.testing.assert_close(start.seen(), expected)
    torch.testing.assert_close(start.pictures(), photo)


def test_grey_noise_lies_between_150_and_180(network):
    shown = parameters.start_noise(named("lab"), network, generators(1), (64, 64)).pictures().detach() * 255
    assert float(shown.min()) >= 149.99
    assert float(shown.max()) <= 180.01
    assert float(shown.mean()) == pytest.approx(165, abs=0.5)


@pytest.mark.parametrize("name", ["lab", "lucid"])
def test_a_start_depends_on_its_own_generator_alone(network, name):
    both = parameters.start_noise(named(name), network, generators(1, 2), (9, 7)).values
    alone = parameters.start_noise(named(name), network, generators(2), (9, 7)).values
    assert torch.equal(both[1], alone[0])
    assert not torch.equal(both[0], both[1])
