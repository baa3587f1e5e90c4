"""Sketches of distributions: against numpy on all numbers at once, whatever the cut and the order."""

import numpy as np
import pytest

from konvolut.techniques import sketches

SHARES = np.array([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
FIELDS = ("code", "count", "image", "value", "cell", "dropped")


def maxima(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of units that are tiny, rectified, constant, far from zero, of both signs, heavy-tailed, and not numbers."""
    rng = np.random.default_rng(count)
    value = rng.normal(0, 1, (count, 7)).astype(np.float32)
    value[:, 0] *= 1e-30
    value[:, 1] = value[:, 1].clip(min=0)
    value[:, 2] = 7
    value[:, 3] = 1000 + 0.01 * value[:, 3]
    value[:, 5] = np.exp(4 * value[:, 5])
    value[::3, 6] = np.nan
    return value, rng.integers(0, 99, (count, 7, 2)).astype(np.int32)


def merged_from(value, cell, cuts, order):
    firsts = [0, *cuts]
    parts = [
        sketches.sketch_of(v, c, first)
        for first, v, c in zip(firsts, np.split(value, cuts), np.split(cell, cuts), strict=True)
    ]
    whole = parts[order[0]]
    for number in order[1:]:
        whole = sketches.merge(whole, parts[number])
    return whole


@pytest.mark.parametrize("count", [5, 257, 3000])
def test_any_cut_in_any_order_gives_the_same_bits(count):
    value, cell = maxima(count)
    whole = sketches.sketch_of(value, cell)
    rng = np.random.default_rng(1)
    for _ in range(4):
        cuts = sorted(rng.choice(np.arange(1, count), 3, replace=False).tolist())
        found = merged_from(value, cell, cuts, rng.permutation(4))
        for name in FIELDS:
            assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=name == "value"), name


def test_few_different_numbers_are_kept_exactly():
    value, cell = maxima(sketches.BINS)
    found = sketches.sketch_of(value, cell)
    expected = np.nanquantile(value, SHARES, axis=0, method="inverted_cdf").T
    assert np.array_equal(sketches.quantiles(found, SHARES), expected)
    assert not found.dropped.any()


def test_a_quantile_of_many_numbers_is_within_its_bin_and_the_bins_are_many():
    value, cell = maxima(3000)
    found = sketches.sketch_of(value, cell)
    expected = np.nanquantile(value, SHARES, axis=0, method="inverted_cdf").T
    code = sketches.to_code(expected)
    estimate = sketches.to_code(sketches.quantiles(found, SHARES))
    assert (np.abs(code.astype(np.int64) - estimate) < 2 ** found.dropped[:, None].astype(np.int64)).all()
    apart = np.abs(expected - sketches.quantiles(found, SHARES)).max(1)
    for unit in (0, 3, 4):  # normal ones; around zero, where floats are densest, they get the fewest bins further out
        assert apart[unit] < 0.15 * value[:, unit].astype(np.float64).std()
    used = (found.count > 0).sum(1)
    assert (used <= sketches.BINS).all()
    assert (used[[0, 3, 4, 5]] > sketches.BINS / 2).all()
    assert found.count.sum(1).tolist() == [3000] * 6 + [2000]


def test_a_bin_remembers_its_earliest_photograph_with_its_own_maximum():
    value, cell = maxima(3000)
    found = sketches.sketch_of(value, cell)
    for unit, bin_ in zip(*np.nonzero(found.count), strict=True):
        dropped = int(found.dropped[unit])
        inside = (sketches.to_code(value[:, unit]) >> dropped) == found.code[unit, bin_] >> dropped
        inside &= ~np.isnan(value[:, unit])
        image = int(np.flatnonzero(inside)[0])
        assert found.image[unit, bin_] == image
        assert found.value[unit, bin_] == value[image, unit]
        assert found.cell[unit, bin_].tolist() == cell[image, unit].tolist()
        assert found.count[unit, bin_] == inside.sum()


def test_codes_have_the_order_of_the_numbers():
    ascending = np.array([-np.inf, -3e38, -1, -1e-45, 0, 1e-45, 1, 3e38, np.inf], np.float32)
    assert (np.diff(sketches.to_code(ascending).astype(np.int64)) > 0).all()
    assert np.array_equal(sketches.from_code(sketches.to_code(ascending)), ascending)
    assert sketches.to_code(np.float32(-0.0)) == sketches.to_code(np.float32(0))
