"""Look-alikes: blocks against numpy's correlation of everything at once."""

import numpy as np
import pytest

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource
from konvolut.errors import UserError
from konvolut.results import store
from konvolut.techniques import alike

COUNTS = (17, 8, 25)
KEEP = 4
MODELS = {"a": {"low": 12, "top": 7}, "b": {"low": 9}}
PASSPORT = {"model": {}, "weights_sha256": "0", "data": {}}


@pytest.fixture(scope="module")
def pooled():
    """(model, layer) -> maxima (n, units) that share causes; one unit is constant, two are copies of each other."""
    rng = np.random.default_rng(0)
    causes = rng.normal(0, 1, (sum(COUNTS), 3))
    made = {}
    for model, layers in MODELS.items():
        for layer, units in layers.items():
            mixed = causes @ rng.normal(0, 1, (3, units)) + rng.normal(0, 0.5, (sum(COUNTS), units))
            made[model, layer] = (100 + mixed).astype(np.float32)
    made["a", "low"][:, 3] = 5
    made["a", "top"][:, 6] = made["a", "low"][:, 0]
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory, pooled):
    folder = tmp_path_factory.mktemp("alike")
    paths = {}
    for model, layers in MODELS.items():
        first = 0
        for count in COUNTS:
            rows = slice(first, first + count)
            kept = {
                layer: store.LayerActivations(
                    None, pooled[model, layer][rows], pooled[model, layer][rows], np.zeros((count, units, 2), np.int32)
                )
                for layer, units in layers.items()
            }
            keys = [f"p{number}" for number in range(first, first + count)]
            nobody = np.zeros((count, 0), np.float32)
            content = store.Activations(
                keys, keys, np.zeros((count, 4)), nobody.astype(np.int32), nobody, [[]] * count, kept
            )
            paths.setdefault(model, []).append(folder / f"{model}-{first}.h5")
            store.write_activations(paths[model][-1], content, PASSPORT, "none")
            first += count
    return paths


def found(files, tmp_path, layer, model="a"):
    shard = shards.AlikeShard(ModelSource(id=model, key=model, timm_name="x"), KEEP, "max")
    alike.find(shard, model, files, tmp_path / "alike.h5", lambda *_: None)
    return store.read_alike(tmp_path / "alike.h5", layer)


def brute(pooled, model, layer, unit, relation):
    """(correlation, place, unit) of every candidate, most alike first."""
    places = [(name, one) for name in MODELS for one in MODELS[name]]
    own = pooled[model, layer][:, unit]
    pairs = []
    for place, (name, one) in enumerate(places):
        kind = ("inside" if one == layer else "across") if name == model else name
        for other in range(MODELS[name][one]):
            them = pooled[name, one][:, other]
            if kind == relation and (name, one, other) != (model, layer, unit) and np.ptp(them) > 0:
                pairs.append((np.corrcoef(own.astype(float), them.astype(float))[0, 1], place, other))
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:KEEP]


@pytest.mark.parametrize("sizes", [(2**30, 2**28), (4 * 50 * 5, 4 * 50 * 2), (4, 4)], ids=["whole", "blocks", "units"])
@pytest.mark.parametrize("relation", ["inside", "across", "b"])
def test_look_alikes_are_those_of_all_pairs_whatever_the_blocks(files, pooled, tmp_path, monkeypatch, sizes, relation):
    monkeypatch.setattr(alike, "OWN_BYTES", sizes[0])
    monkeypatch.setattr(alike, "PASSING_BYTES", sizes[1])
    for layer, units in MODELS["a"].items():
        places, relations = found(files, tmp_path, layer)
        assert list(places.items()) == [(("a", "low"), 12), (("a", "top"), 7), (("b", "low"), 9)]
        content = relations[relation]
        for unit in range(units):
            expected = brute(pooled, "a", layer, unit, relation) if (layer, unit) != ("low", 3) else []
            count = len(expected)
            assert np.allclose(content.correlation[unit, :count], [pair[0] for pair in expected], atol=1e-5)
            assert content.place[unit, :count].tolist() == [pair[1] for pair in expected]
            assert content.unit[unit, :count].tolist() == [pair[2] for pair in expected]
            assert (content.place[unit, count:] == alike.NOBODY).all()
            assert np.isnan(content.correlation[unit, count:]).all()


def test_a_copy_in_another_layer_is_the_first(files, tmp_path):
    _, relations = found(files, tmp_path, "top")
    assert (relations["across"].place[6, 0], relations["across"].unit[6, 0]) == (0, 0)
    assert relations["across"].correlation[6, 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("width", [5, 12, 400])
def test_of_equals_the_first_is_kept_whatever_the_blocks(width):
    correlation = np.random.default_rng(0).integers(0, 4, (3, 400)).astype(np.float32)
    found = alike.Nearest(3, KEEP)
    for first in range(0, 400, width):
        found.add(correlation[:, first : first + width], 0, first)
    order = np.argsort(-correlation, axis=1, kind="stable")[:, :KEEP]
    assert np.array_equal(found.unit, order)
    assert np.array_equal(found.correlation, np.take_along_axis(correlation, order, 1))


def test_chance_is_what_the_best_of_unrelated_units_reaches():
    rng = np.random.default_rng(0)
    for photographs, candidates in ((30, 500), (200, 2000)):
        pooled = alike.standardised(rng.normal(0, 1, (photographs, candidates + 50)).astype(np.float32))
        best = (pooled[:, :50].T @ pooled[:, 50:]).max(1)
        assert np.median(best) == pytest.approx(alike.chance(candidates, photographs), rel=0.12)
    assert alike.chance(500, 3) == 1


def test_models_that_saw_other_photographs_are_refused(files, tmp_path):
    with pytest.raises(UserError, match="'a' and 'b' did not see the same photographs"):
        found({"a": files["a"], "b": files["b"][:2]}, tmp_path, "low")


def test_a_job_that_died_goes_on_with_the_units_that_it_was_at(files, tmp_path, monkeypatch):
    monkeypatch.setattr(alike, "OWN_BYTES", 4 * sum(COUNTS) * 5)
    monkeypatch.setattr(alike, "PASSING_BYTES", 4 * sum(COUNTS) * 3)
    shard = shards.AlikeShard(ModelSource(id="a", key="a", timm_name="x"), KEEP, "max")
    whole, output = tmp_path / "whole.h5", tmp_path / "alike.h5"
    walked, walk, told = [], alike._nearest, []

    def watched(*given):
        walked.append(given[1])
        if len(walked) == dies_at:
            raise KeyboardInterrupt
        return walk(*given)

    monkeypatch.setattr(alike, "_nearest", watched)
    dies_at = 0
    alike.find(shard, "a", files, whole, lambda *how_far: told.append(how_far))
    groups = len(walked)
    assert groups > 3
    assert [done for done, _ in told] == sorted({done for done, _ in told}), "each step is told once"
    assert (told[0][0], told[-1][0]) == (0, told[-1][1])
    walked.clear()
    dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        alike.find(shard, "a", files, output, lambda *_: None)
    assert not output.exists()
    alike.find(shard, "a", files, output, lambda *_: None)
    assert len(walked) == groups + 1, "only the third group is walked twice"
    assert output.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.part"))
    walked.clear()
    with pytest.raises(KeyboardInterrupt):
        alike.find(shard, "a", files, output, lambda *_: None)
    dies_at = 0
    other = shards.AlikeShard(shard.model, KEEP - 1, "max")
    alike.find(other, "a", files, output, lambda *_: None)
    assert len(walked) == dies_at + 3 + groups, "fewer are asked for: nothing of before counts"
