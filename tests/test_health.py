"""What counts as a rise, and the verdict on a picture."""

import numpy as np
import pytest

from konvolut.asked import terms
from konvolut.pictures import health


def test_a_curve_that_ends_higher_rises():
    assert health.rises(np.linspace(-3, -2, 20))
    assert health.rises(np.array([0.0, 1e-5, 1e-5]))


@pytest.mark.parametrize("curve", [[0.0] * 20, [5.0] * 20, [1.0, 2.0, 1.0, 0.5], [np.nan] * 3, [0.0, 2e-7]], ids=str)
def test_a_curve_that_stays_or_falls_does_not_rise(curve):
    assert not health.rises(np.array(curve, dtype=np.float32))


@pytest.mark.parametrize(
    ("curve", "clean_max", "natural_max", "letter"),
    [
        ([0, 0, 0], 0.0, 3.0, "d"),
        ([5, 4, 5], 9.0, 3.0, "d"),
        ([0, 1, 2], 2.0, 3.0, "w"),
        ([0, 1, 2], 3.0, 3.0, "g"),
        ([0, 1, 2], 3.0, None, "-"),
        ([], 3.0, 2.0, "g"),
    ],
)
def test_the_verdict_compares_a_picture_with_the_best_photograph(curve, clean_max, natural_max, letter):
    assert health.verdict(np.array(curve, float), clean_max, natural_max) == letter
    assert letter in health.NAMES


def test_deviations_are_those_of_the_units_maxima_over_photographs():
    maxima = np.array([1.0, 3.0, 5.0])
    assert health.deviations(7.0, maxima.mean(), maxima.std()) == pytest.approx((7 - 3) / np.sqrt(8 / 3))
    assert np.isnan(health.deviations(7.0, 3.0, 0.0))


@pytest.mark.parametrize(("clean_max", "letter"), [(0.5, "w"), (0.2, "g"), (-1.0, "g")])
def test_a_picture_that_is_to_silence_its_unit_is_held_against_the_photograph_that_excites_it_least(clean_max, letter):
    assert health.verdict(np.array([0.0, 1.0]), clean_max, 3.0, 0.2) == letter


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ((("negative", 1.0),), True),
        ((("mean", -1.0),), True),
        ((("negative", -1.0),), False),
        ((("peaks", 1.0),), False),
        ((("negative", 1.0), ("mean", 0.5)), False),
        ((("negative", 1.0), ("layer", 0.5), ("mean:3", 1.0)), True),
        ((("layer", 1.0),), False),
        ((), False),
    ],
    ids=str,
)
def test_an_objective_silences_a_unit_if_all_its_terms_of_the_own_channel_do(objective, expected):
    assert terms.silences(objective) is expected


@pytest.mark.parametrize(
    ("curve", "steps", "first", "letter"),
    [([0, 0, 0], 2, 1.0, "d"), ([0, 1, 2], 2, 0.6, "g"), ([0, 1, 2], 2, 0.4, "w"), ([3], 2, 1.0, "g")],
)
def test_a_class_is_good_where_it_is_recognised_in_the_moved_picture_too(curve, steps, first, letter):
    assert health.class_verdict(np.array(curve, np.float32), steps, first) == letter
