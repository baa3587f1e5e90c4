"""Examples: the streamed result against brute force over all photographs at once."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource
from konvolut.results import store
from konvolut.techniques import evidence, examples

KEEP = 6
SHARDS = (4, 1, 9, 5)
PASSPORT = {"model": {}, "weights_sha256": "0", "data": {"input_size": [3, 64, 96]}}
CENSUS = {
    "layer": ["stem", "top"],
    "receptive_field_exact": [True, False],
    "receptive_field_px": [11, 96],
    "receptive_field_start_px": [-5, 0],
    "stride": [4, 32],
    "height": [16, 2],
    "width": [24, 1],  # cells that are no squares on the input: no model is needed for boxes
    "refused": ["", ""],
}


@pytest.fixture(scope="module")
def pooled():
    """Layer -> maxima (n, C) and cells (n, C, 2), with ties, a constant unit and a dead one."""
    rng = np.random.default_rng(0)
    n = sum(SHARDS)
    made = {}
    for layer, units, (height, width) in (("stem", 7, (16, 24)), ("top", 5, (2, 3))):
        value = rng.integers(-4, 5, (n, units)).astype(np.float32) / 4
        value[:, 0], value[:, 1] = 0, 2.5
        value[:, 2] = rng.normal(1000, 0.01, n)
        made[layer] = value, rng.integers(0, (height, width), (n, units, 2)).astype(np.int32)
    return made


@pytest.fixture(scope="module")
def crops():
    rng = np.random.default_rng(1)
    corners = rng.uniform(-0.1, 0.4, (sum(SHARDS), 2))
    return np.concatenate([corners, corners + rng.uniform(0.4, 0.8, corners.shape)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def found(tmp_path_factory, pooled, crops):
    folder = tmp_path_factory.mktemp("examples")
    pd.DataFrame(CENSUS).assign(kind="", stage="", layout="bchw", activation="").to_csv(
        folder / "layers.csv", index=False
    )
    paths, first = [], 0
    for count in SHARDS:
        rows = slice(first, first + count)
        layers = {
            layer: store.LayerActivations(
                maps=None,
                max=value[rows],
                mean=value[rows],
                cell=cell[rows],
                evidence=evidence.of_photographs(value[rows], cell[rows], KEEP),
            )
            for layer, (value, cell) in pooled.items()
        }
        nobody = np.zeros((count, 5))
        keys = [f"p{i}" for i in range(first, first + count)]
        content = store.Activations(
            image=keys,
            label=[f"class {i % 3}" for i in range(first, first + count)],
            crop=crops[rows],
            predicted_class=nobody.astype(np.int32),
            probability=nobody.astype(np.float32),
            predicted_name=[[""] * 5] * count,
            layers=layers,
        )
        paths.append(folder / f"{first:02}.h5")
        store.write_activations(paths[-1], content, PASSPORT, "none")
        first += count
    shard = shards.ExamplesShard(ModelSource(id="m", key="m", timm_name="x"), KEEP)
    examples.reduce(shard, folder / "layers.csv", paths, folder / "examples.h5")
    return store.read_examples(folder / "examples.h5")


@pytest.mark.parametrize("layer", ["stem", "top"])
def test_the_best_are_those_of_a_stable_sort_over_all_photographs(found, pooled, layer):
    value, cell = pooled[layer]
    content = found.layers[layer]
    for unit in range(value.shape[1]):
        order = sorted(range(len(value)), key=lambda i, unit=unit: (-value[i, unit], i))[:KEEP]
        assert [found.image[row] for row in content.image[unit]] == [f"p{i}" for i in order]
        assert np.array_equal(content.value[unit], value[order, unit])
        assert np.array_equal(content.cell[unit], cell[order, unit])


@pytest.mark.parametrize("layer", ["stem", "top"])
def test_statistics_are_those_of_all_maxima(found, pooled, layer):
    value = pooled[layer][0].astype(np.float64)
    content = found.layers[layer]
    assert np.allclose(content.mean, value.mean(0), rtol=1e-6)
    assert np.allclose(content.std, value.std(0), rtol=1e-5, atol=1e-7)
    assert np.array_equal(content.max, value.max(0).astype(np.float32))
    assert np.allclose(content.active, (value > 0).mean(0))


@pytest.mark.parametrize("layer", ["stem", "top"])
def test_histograms_count_every_photograph_between_the_extremes(found, pooled, layer):
    value = pooled[layer][0]
    content = found.layers[layer]
    assert content.edges.shape == (value.shape[1], 25)
    assert (np.diff(content.edges, axis=1) > 0).all()
    for unit in range(value.shape[1]):
        edges = content.edges[unit]
        bins = [max(b for b in range(24) if edges[b] <= v) for v in value[:, unit]]
        assert content.histogram[unit].tolist() == [bins.count(b) for b in range(24)]
        if np.ptp(value[:, unit]):
            assert (edges[0], edges[-1]) == (value[:, unit].min(), value[:, unit].max())


def test_a_box_is_the_receptive_field_seen_through_the_crop(found, crops):
    content = found.layers["stem"]
    for unit, rank in np.ndindex(7, KEEP):
        left, top, right, bottom = map(float, crops[int(found.image[content.image[unit, rank]][1:])])
        row, column = map(int, content.cell[unit, rank])
        y, x = (max(0, -5 + 4 * cell) for cell in (row, column))
        y_end, x_end = min(64, -5 + 4 * row + 11), min(96, -5 + 4 * column + 11)
        box = [left + x / 96 * (right - left), top + y / 64 * (bottom - top)]
        box += [left + x_end / 96 * (right - left), top + y_end / 64 * (bottom - top)]
        assert np.allclose(content.box[unit, rank], np.clip(box, 0, 1), atol=1e-6)


def test_a_field_that_is_not_exact_is_all_that_the_model_saw(found, crops):
    content = found.layers["top"]
    numbers = np.array([int(key[1:]) for key in found.image])
    assert np.allclose(content.box, crops[numbers[content.image]].clip(0, 1))


def test_fewer_photographs_than_asked_for_are_all_kept():
    best = evidence.best_of(np.array([[1, 3], [2, 1]], np.float32), np.zeros((2, 2, 2), np.int32), keep=9)
    assert best.image.tolist() == [[1, 0], [0, 1]]


def test_what_is_not_a_number_comes_last():
    best = evidence.best_of(np.array([[np.nan], [-3], [1]], np.float32), np.zeros((3, 1, 2), np.int32), keep=3)
    assert best.image.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("cuts", [(1, 2, 3), (10,), (7, 8, 33, 34)])
@pytest.mark.parametrize("keep", [1, 5, 40])
def test_the_best_are_those_of_one_sort_whatever_the_cut_ties_included(cuts, keep):
    rng = np.random.default_rng(keep)
    value = rng.integers(-2, 3, (50, 6)).astype(np.float32)
    value[rng.random(value.shape) < 0.1] = -0.0
    cell = rng.integers(0, 9, (50, 6, 2)).astype(np.int32)
    found = None
    for first, part, cells in zip((0, *cuts), np.split(value, cuts), np.split(cell, cuts), strict=True):
        found = evidence.merge(found, evidence.of_photographs(part, cells, keep), first, keep)
    for unit in range(6):
        order = sorted(range(50), key=lambda i, unit=unit: (-value[i, unit], i))[:keep]
        assert found.best.image[unit].tolist() == order
        assert np.array_equal(found.best.value[unit], value[order, unit])
        assert np.array_equal(found.best.cell[unit], cell[order, unit])


def test_merging_is_associative():
    rng = np.random.default_rng(3)
    value = rng.normal(0, 1, (300, 4)).astype(np.float32)
    cell = rng.integers(0, 9, (300, 4, 2)).astype(np.int32)
    a, b, c = (
        evidence.of_photographs(part, cells, KEEP)
        for part, cells in zip(np.split(value, 3), np.split(cell, 3), strict=True)
    )
    left = evidence.merge(evidence.merge(a, b, 100, KEEP), c, 200, KEEP)
    right = evidence.merge(a, evidence.merge(b, c, 100, KEEP), 100, KEEP)
    for part in ("best", "sketch"):
        for field in dataclasses.fields(getattr(left, part)):
            one, other = (getattr(getattr(side, part), field.name) for side in (left, right))
            assert np.array_equal(one, other, equal_nan=field.name == "value"), (part, field.name)


def test_moments_do_not_depend_on_the_cut():
    value = np.random.default_rng(0).normal(1e4, 1e-2, (50, 3)).astype(np.float32)
    whole = evidence.moments_of(value)
    parts = [evidence.moments_of(part) for part in np.split(value, [1, 7, 30])]
    found = parts[0]
    for part in parts[1:]:
        found = evidence.merge_moments(found, part)
    for field in dataclasses.fields(whole):
        assert np.allclose(getattr(whole, field.name), getattr(found, field.name), rtol=1e-9)


def test_selectivity_is_0_for_a_unit_that_all_photographs_excite_alike_and_1_for_one_alone():
    value = np.zeros((20, 4), np.float32)
    value[:, 0], value[3, 1], value[:10, 2] = 5, 2, 1
    found = evidence.selectivity(evidence.moments_of(value))
    assert np.allclose(found[:3], [0, 1, (1 - 0.5) / (1 - 1 / 20)], atol=1e-6)
    assert np.isnan(found[3])


@pytest.mark.parametrize("layer", ["stem", "top"])
def test_quantile_examples_lie_at_low_middle_and_high_quantiles(found, pooled, layer):
    value, cell = pooled[layer]
    content = found.layers[layer]
    names = [int(key[1:]) for key in found.image]
    for unit, place, near in np.ndindex(value.shape[1], 3, 3):
        image = names[content.quantile_image[unit, place, near]]
        assert content.quantile_value[unit, place, near] == value[image, unit]
        assert content.quantile_cell[unit, place, near].tolist() == cell[image, unit].tolist()
    for place, share in enumerate((0.1, 0.5, 0.9)):
        expected = np.quantile(value, share, axis=0, method="inverted_cdf")
        assert np.array_equal(content.quantile_value[:, place, 1].clip(min=content.quantile_value.min()), expected)


def test_numbers_of_a_unit_are_those_of_all_its_maxima(found, pooled):
    for layer, (value, _) in pooled.items():
        content = found.layers[layer]
        expected = np.quantile(value, (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99), axis=0, method="inverted_cdf").T
        assert np.array_equal(content.quantiles, expected)
        assert content.dead.tolist() == [True, True, *[False] * (value.shape[1] - 2)]
    assert found.photographs == sum(SHARDS)


def test_classes_are_those_of_the_best_photographs_by_label(found, pooled):
    value, _ = pooled["stem"]
    assert found.classes_are == "labels"
    for unit in range(value.shape[1]):
        order = sorted(range(len(value)), key=lambda i, unit=unit: (-value[i, unit], i))[:KEEP]
        labels = [f"class {i % 3}" for i in order]
        content = found.layers["stem"]
        pairs = zip(content.class_index[unit], content.class_share[unit], strict=True)
        shares = {found.classes[number]: share for number, share in pairs if number >= 0}
        assert shares == {label: np.float32(labels.count(label) / KEEP) for label in set(labels)}


def test_predictions_stand_in_for_labels_that_never_repeat():
    photographs = examples.Photographs(label=["a cat", "a dog"], predicted=["tabby", "beagle"])
    assert photographs.classes() == ("predictions", ["tabby", "beagle"])


def test_photographs_without_a_label_are_no_class_but_count_in_the_shares(pooled):
    value, cell = pooled["stem"]
    part = evidence.of_photographs(value, cell, KEEP)
    n = len(value)
    labels = ["" if i % 2 else f"class {i % 3}" for i in range(n)]
    photographs = examples.Photographs(number=list(range(n)), label=labels, predicted=["tabby"] * n)
    names = sorted(set(labels) - {""})
    index, share = examples._class_counts(part, photographs, names)
    for unit in range(value.shape[1]):
        own = [labels[i] for i in part.best.image[unit]]
        found = {names[i]: s for i, s in zip(index[unit], share[unit], strict=True) if i >= 0}
        assert found == {name: np.float32(own.count(name) / KEEP) for name in set(own) - {""}}
        known = index[unit] >= 0
        assert known.tolist() == sorted(known, reverse=True)  # no gap before a class that is known
