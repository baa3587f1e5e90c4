"""Numbers as short as pages need them: each with its plain definition as oracle."""

import json

import numpy as np
import pytest

from konvolut.atlas import packed


def level(letter: str) -> int:
    return ord(letter) - ord("?")


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_numbers_have_so_many_significant_digits(digits):
    rng = np.random.default_rng(digits)
    values = rng.normal(size=4000) * 10.0 ** rng.uniform(-12, 12, 4000)
    values = np.concatenate([values, [0, 1, -1, 999.6, 1000, 0.1, 1e-30, 1e-300, 123456, 2.5e15]])
    assert packed.rounded(values, digits) == [float(f"{value:.{digits}g}") for value in values]


def test_whole_numbers_are_written_without_a_point_and_unknown_ones_as_null():
    values = np.array([[1.0, 0.25], [np.nan, np.inf], [-0.0, 1e30]], np.float64)
    assert json.dumps(packed.rounded(values)) == "[[1, 0.25], [null, null], [0, 1e+30]]"
    assert packed.rounded(np.float32(0.1)) == 0.1


def test_levels_lie_between_the_lowest_and_the_highest_of_their_row():
    curves = np.random.default_rng(0).normal(size=(5, 24))
    for curve, text in zip(curves, packed.levels(curves), strict=True):
        share = (curve - curve.min()) / np.ptp(curve)
        assert np.abs(np.array([level(letter) for letter in text]) / 63 - share).max() <= 0.5 / 63 + 1e-9
    assert packed.levels(np.array([[1.0, 1.0], [np.nan, 2.0], [np.nan, np.nan]])) == ["??", " ?", "  "]


def test_a_curve_keeps_its_ends_and_as_many_points_as_can_be_seen():
    (first, last, letters), (twice, _, same) = packed.curves(np.linspace(-1, 3, 129) * np.array([[1], [2]]))
    assert (first, last, twice, same) == (-1, 3, -2, letters)
    assert (letters[0], letters[-1], len(letters)) == ("?", "~", 24)
    assert [level(letter) / 63 for letter in letters] == pytest.approx(np.linspace(0, 1, 24), abs=0.02)
    assert packed.curves(np.array([[5.0]])) == [[5, 5, "?"]]
    assert packed.curves(np.zeros((1, 0))) == [[None, None, ""]]


def test_a_count_that_is_not_zero_can_be_seen():
    assert packed.counts(np.array([[0, 1, 100_000], [0, 0, 0]])) == ["?@~", "???"]


def test_boxes_are_kept_to_a_4095th_of_the_photograph():
    boxes = np.random.default_rng(1).uniform(-0.1, 1.1, size=(3, 9, 4))
    for row, text in zip(boxes, packed.boxes(boxes), strict=True):
        levels = np.array([level(letter) for letter in text]).reshape(9, 4, 2)
        told = (64 * levels[..., 0] + levels[..., 1]) / 4095
        assert np.abs(told - row.clip(0, 1)).max() <= 0.5 / 4095 + 1e-9


def test_no_letter_is_markup():
    assert not set(packed.LETTERS.tobytes().decode()) & set("<>&\"'")
