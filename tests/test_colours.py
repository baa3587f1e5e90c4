"""Colour maps against matplotlib's, overlays against the lab notebook's, and what their ends look like."""

import numpy as np
import pytest

from konvolut.pictures import colours


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_the_colour_map_is_inferno():
    inferno = pytest.importorskip("matplotlib").colormaps["inferno"]
    values = np.linspace(0, 1, 256)[None]
    expected = np.rint(inferno(values)[..., :3] * 255)
    assert np.abs(colours.colour_map(values) - expected).max() <= 6


def test_the_colour_map_grows_lighter_from_end_to_end():
    """Rec. 709 luminance rises with the value, so that the map also reads in print and to the colour-blind."""
    shown = colours.colour_map(np.linspace(0, 1, 101)[None])[0] / 255
    luminance = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    assert np.all(np.diff(luminance @ [0.2126, 0.7152, 0.0722]) > 0)


def test_the_colour_map_clips_and_takes_nan_for_nothing():
    shown = colours.colour_map(np.array([[-1.0, 0.0, np.nan, 1.0, 7.0]]))[0]
    assert shown[0].tolist() == shown[1].tolist() == shown[2].tolist() == [0, 0, 4]
    assert shown[3].tolist() == shown[4].tolist() == [252, 255, 164]


def test_overlay_is_the_weighted_sum_of_photograph_and_map(rng):
    """cv2.addWeighted(photo, .15, map, .85, 0) as the lab notebook has it, pixel by pixel."""
    photo = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    map01 = rng.random((5, 6))
    seen = colours.overlay(photo, map01)
    for row in range(5):
        for column in range(6):
            grey = round(map01[row, column] * 255)
            assert seen[row, column].tolist() == [round(0.15 * int(c) + 0.85 * grey) for c in photo[row, column]]


def test_scaling_stretches_a_map_to_0_and_1_and_a_flat_one_to_0():
    assert np.allclose(colours.scaled01(np.arange(6.0).reshape(2, 3) - 4), np.arange(6).reshape(2, 3) / 5)
    assert not colours.scaled01(np.full((2, 3), 9.0)).any()


def test_a_diverging_map_is_white_at_0_blue_below_and_red_above():
    below, zero, above = colours.diverging(np.array([[-0.5, 0.0, 0.5]]))[0].astype(int)
    assert zero.tolist() == [247, 247, 247]
    assert below[2] > below[0] + 40
    assert above[0] > above[2] + 40


def test_a_diverging_map_grows_darker_with_the_size_and_clips():
    shown = colours.diverging(np.linspace(0, 1, 11)[None])[0].astype(int).sum(1)
    assert (np.diff(shown) < 0).all()
    assert np.array_equal(colours.diverging(np.array([[9.0]])), colours.diverging(np.array([[1.0]])))


def test_signed_planes_are_the_colours_around_grey():
    planes = np.array([[-1.0, 0.0], [0.5, 0.0], [7.0, 0.0]])[:, None]
    assert colours.in_colours(planes)[0].tolist() == [[0, 191, 255], [128, 128, 128]]
    assert np.array_equal(*(colours.in_colours(planes[:1])[..., channel] for channel in (0, 2)))
