"""Examples: the streamed result against brute force over all photographs at once."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource
from konvolut.results import store
from konvolut.techniques import examples

KEEP = 6
SHARDS = (4, 1, 9, 5)
PASSPORT = {"model": {}, "weights_sha256": "0", "data": {"input_size": [3, 64, 96]}}
CENSUS = {
    "layer": ["stem", "top"],
    "receptive_field_exact": [True, False],
    "receptive_field_px": [11, 96],
    "receptive_field_start_px": [-5, 0],
    "stride": [4, 32],
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
            layer: store.LayerActivations(maps=None, max=value[rows], mean=value[rows], cell=cell[rows])
            for layer, (value, cell) in pooled.items()
        }
        nobody = np.zeros((count, 5))
        keys = [f"p{i}" for i in range(first, first + count)]
        content = store.Activations(
            image=keys,
            label=keys,
            crop=crops[rows],
            predicted_class=nobody.astype(np.int32),
            probability=nobody.astype(np.float32),
            predicted_name=[[""] * 5] * count,
            layers=layers,
        )
        paths.append(folder / f"{first:02}.h5")
        store.write_activations(paths[-1], content, PASSPORT, "none")
        first += count
    shard = shards.ExamplesShard(ModelSource(id="m", key="m", timm_name="x"), (), KEEP)
    examples.reduce(shard, folder / "layers.csv", paths, folder / "examples.h5")
    return store.read_examples(folder / "examples.h5")


@pytest.mark.parametrize("layer", ["stem", "top"])
def test_the_best_are_those_of_a_stable_sort_over_all_photographs(found, pooled, layer):
    value, cell = pooled[layer]
    content = found.layers[layer]
    for unit in range(value.shape[1]):
        order = sorted(range(len(value)), key=lambda i, unit=unit: (-value[i, unit], i))[:KEEP]
        assert content.image[unit].tolist() == order
        assert np.array_equal(content.value[unit], value[order, unit])
        assert np.array_equal(content.cell[unit], cell[order, unit])
    assert found.image == [f"p{i}" for i in range(sum(SHARDS))]


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
        left, top, right, bottom = map(float, crops[content.image[unit, rank]])
        row, column = map(int, content.cell[unit, rank])
        y, x = (max(0, -5 + 4 * cell) for cell in (row, column))
        y_end, x_end = min(64, -5 + 4 * row + 11), min(96, -5 + 4 * column + 11)
        box = [left + x / 96 * (right - left), top + y / 64 * (bottom - top)]
        box += [left + x_end / 96 * (right - left), top + y_end / 64 * (bottom - top)]
        assert np.allclose(content.box[unit, rank], np.clip(box, 0, 1), atol=1e-6)


def test_a_field_that_is_not_exact_is_all_that_the_model_saw(found, crops):
    content = found.layers["top"]
    assert np.allclose(content.box, crops[content.image].clip(0, 1))


def test_fewer_photographs_than_asked_for_are_all_kept():
    best = examples.Best.empty(2, keep=9)
    best.add(0, np.array([[1, 3], [2, 1]], np.float32), np.zeros((2, 2, 2), np.int32))
    assert best.image.tolist() == [[1, 0], [0, 1]]


def test_a_unit_that_is_not_a_number_comes_last():
    best = examples.Best.empty(1, keep=2)
    best.add(0, np.array([[np.nan], [-3], [1]], np.float32), np.zeros((3, 1, 2), np.int32))
    assert best.image.tolist() == [[2, 1]]


def test_moments_do_not_depend_on_the_cut():
    value = np.random.default_rng(0).normal(1e4, 1e-2, (50, 3)).astype(np.float32)
    whole, parts = examples.Moments.empty(3), examples.Moments.empty(3)
    whole.add(value)
    for part in np.split(value, [1, 7, 30]):
        parts.add(part)
    for field in dataclasses.fields(whole):
        assert np.allclose(getattr(whole, field.name), getattr(parts, field.name), rtol=1e-9)
