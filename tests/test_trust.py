"""Trust: photographs shown as if they were synthetic pictures must reach what the stored activations say."""

import os
import weakref
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource, Photograph
from konvolut.network import census, models, photographs
from konvolut.pictures import health, images
from konvolut.results import contents, evidence, store
from konvolut.techniques import activations, agreement, alike, examples, table, trust

SOURCES = {name: ModelSource(name, name, "test_resnet", f"random:{seed}") for seed, name in enumerate(("one", "two"))}
LAYERS = ("layer1", "layer2", "layer3")
COUNT, KEEP = 30, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models' results over the same photographs."""
    folder = tmp_path_factory.mktemp("trust")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        small = rng.integers(0, 256, (5 + number % 7, 9, 3), dtype=np.uint8)
        images.write_png(folder / f"{number}.png", small.repeat(30, 0).repeat(20, 1))
        rows.append(Photograph(f"p{number}", f"p{number}", str(folder / f"{number}.png")))
    for name, source in SOURCES.items():
        home = folder / name
        home.mkdir()
        census.write_census(census.census(models.build(source)), home / "layers.csv")
        asked = (LAYERS, (), None, "float16", "none", False, KEEP, "fail", "cpu")
        for first in (0, 20):
            shard = shards.ActivationsShard(source, tuple(rows[first : first + 20]), *asked)
            activations.compute(shard, home / "layers.csv", home / f"{first}.h5", lambda *_: None)
        paths = [home / "0.h5", home / "20.h5"]
        examples.reduce(shards.ExamplesShard(source, KEEP), home / "layers.csv", paths, home / "examples.h5")
    files = {name: [folder / name / "0.h5", folder / name / "20.h5"] for name in SOURCES}
    shard = shards.AlikeShard(SOURCES["one"], KEEP, "max")
    alike.find(shard, "one", files, folder / "one" / "alike.h5", lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def judged(folder):
    """Trust in "pictures" of four channels of layer3: each is what the model saw of the channel's best photograph."""
    found = store.read_examples(folder / "one" / "examples.h5", ["layer3"])
    channels = np.array([0, 3, 5, 9], np.int32)
    best = [found.image[row] for row in found.layers["layer3"].image[channels, 0]]
    network = models.build(SOURCES["one"])
    seen = [photographs.look(network, SimpleNamespace(path=folder / f"{key[1:]}.png")).picture for key in best]
    blank = np.zeros((4, 0), np.float32)
    reached = np.arange(16, dtype=np.float32).reshape(4, 4)
    pictures = contents.Pictures(
        channels, np.stack(seen), np.zeros(0, np.int32), np.zeros((4, 0, 1, 1, 3), np.uint8), blank, reached, channels
    )
    path = folder / "channels" / "layer3" / "0-9.h5"
    store.write_pictures(path, "channels", {"noise": pictures}, {})
    names = {name: folder / name for name in SOURCES}
    files = trust.Files(
        {name: home / "layers.csv" for name, home in names.items()},
        {name: home / "examples.h5" for name, home in names.items()},
        [folder / "one" / "0.h5", folder / "one" / "20.h5"],
        folder / "one" / "alike.h5",
        [path],
    )
    shard = shards.TrustShard(SOURCES["one"], tuple(SOURCES.values()), LAYERS, 3, "cpu")
    trust.judge(shard, files, folder / "trust.h5", lambda *_: None)
    return store.read_named(folder / "trust.h5", evidence.Trust)["layer3"], [int(key[1:]) for key in best]


def pooled(folder, model, layer):
    paths = [folder / model / "0.h5", folder / model / "20.h5"]
    return np.concatenate([store.read_pooled(path, layer) for path in paths])


def test_a_twin_reaches_on_a_photograph_what_its_activations_say(folder, judged):
    found, best = judged
    assert found.relation == ["inside", "across", "two"]
    assert (found.twin_place >= 0).sum() >= 6
    for place, column in zip(*np.nonzero(found.twin_place >= 0), strict=True):
        twin = found.twin_place[place, column]
        values = pooled(folder, found.twin_model[twin], found.twin_layer[twin])[:, found.twin_unit[place, column]]
        assert found.twin_reached[place, column] == pytest.approx(values[best[place]], rel=1e-4)
        assert found.twin_best[place, column] == pytest.approx(values.max(), rel=1e-5)
        expected = (values[best[place]] - values.mean()) / values.std()
        assert found.twin_deviations[place, column] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_path_is_compared_with_the_best_photographs_in_each_layer_below(folder, judged):
    found, best = judged
    assert found.below == ["layer1", "layer2"]
    stored = store.read_examples(folder / "one" / "examples.h5", ["layer3"])
    for column, layer in enumerate(found.below):
        values = pooled(folder, "one", layer).astype(np.float64)
        z = ((values - values.mean(0)) / values.std(0).clip(1e-30))[:, values.std(0) > 0]
        for place, channel in enumerate(found.channel):
            rows = [int(stored.image[row][1:]) for row in stored.layers["layer3"].image[channel, :3]]
            with_best = np.mean([np.corrcoef(z[best[place]], z[row])[0, 1] for row in rows])
            among = [np.corrcoef(z[a], z[b])[0, 1] for a in rows for b in rows if a != b]
            assert found.similarity[place, column, 0] == pytest.approx(with_best, abs=1e-3)
            assert found.similarity[place, column, 1] == pytest.approx(np.mean(among), abs=1e-3)
            own, same, anybody = found.similarity[place, column]
            if same - anybody > agreement.LEAST_DIFFERENCE:
                assert found.path[place, column] == pytest.approx((own - anybody) / (same - anybody), rel=1e-3)
            else:
                assert np.isnan(found.path[place, column])


def test_a_picture_like_the_best_scores_1_and_one_like_anybody_0():
    rng = np.random.default_rng(0)
    theme = rng.normal(0, 1, 400)
    natural, others = theme + rng.normal(0, 1, (9, 400)), rng.normal(0, 1, (16, 400))
    assert agreement.agreement(theme + rng.normal(0, 1, 400), natural, others)[0] == pytest.approx(1, abs=0.15)
    assert agreement.agreement(rng.normal(0, 1, 400), natural, others)[0] == pytest.approx(0, abs=0.15)
    assert np.isnan(agreement.agreement(theme, rng.normal(0, 1, (9, 400)), others)[0])


def test_the_table_has_a_row_per_unit_with_what_the_files_say(folder, judged):
    home = folder / "one"
    pictures = [folder / "channels" / "layer3" / "0-9.h5"]
    found = (home / "layers.csv", home / "examples.h5", home / "alike.h5", folder / "trust.h5")
    table.write(*found, pictures, folder / "units.csv")
    rows = pd.read_csv(folder / "units.csv", keep_default_na=False)
    assert list(rows.columns) == list(table.COLUMNS)
    stored = store.read_examples(home / "examples.h5")
    assert rows["layer"].unique().tolist() == list(LAYERS)
    for layer in LAYERS:
        own = rows[rows["layer"] == layer]
        values = pooled(folder, "one", layer)
        assert own["channel"].tolist() == list(range(values.shape[1]))
        assert np.allclose(own["max"], values.max(0), rtol=1e-5)
        assert np.allclose(own["q50"], np.quantile(values, 0.5, axis=0, method="inverted_cdf"), rtol=1e-5)
        assert own["best"].tolist() == [stored.image[row] for row in stored.layers[layer].image[:, 0]]
        assert set(own["photographs"]) == {COUNT}
    top = rows[rows["layer"] == "layer3"].set_index("channel")
    places, alikes = store.read_alike(home / "alike.h5", "layer3")
    twins = alikes["two"].place[:, 0]
    assert (top["twin"][twins < 0] == "").all()
    for channel in np.flatnonzero(twins >= 0):
        model, layer = list(places)[twins[channel]]
        assert top.loc[channel, "twin"] == f"{model} {layer}:{alikes['two'].unit[channel, 0]}"
    assert (top["picture_twins"] != "").sum() == np.isfinite(judged[0].twin_deviations).any(1).sum()
    assert [float(top.loc[channel, "picture_max"]) for channel in judged[0].channel] == [1, 5, 9, 13]
    values, content = pooled(folder, "one", "layer3"), store.read_pictures(pictures[0])["noise"]
    for channel, curve, reached in zip(content.channel, content.curve, content.activation[:, 1], strict=True):
        expected = health.verdict(curve, float(reached), float(values[:, channel].max()))
        assert top.loc[channel, "picture_verdict"] == health.NAMES[expected]
        least, most = values[:, channel].min(), values[:, channel].max()
        bin_wide = (most - least) / examples.BINS
        low, high = (np.mean(values[:, channel] < reached + side * bin_wide) for side in (-1, 1))
        assert low - 1e-6 <= float(top.loc[channel, "picture_above"]) <= high + 1e-6
    assert set(top.loc[~top.index.isin(content.channel), "picture_verdict"]) == {""}
    table.write(*found[:2], None, None, [], folder / "plain.csv")
    assert (pd.read_csv(folder / "plain.csv", keep_default_na=False)["twin"] == "").all()


def test_the_pictures_of_one_layer_at_a_time_are_in_memory(folder, judged, monkeypatch, tmp_path):
    """Every layer gives its pictures back before those of the next are read."""
    content = store.read_pictures(folder / "channels" / "layer3" / "0-9.h5")
    alive, most = [], []
    paths = [tmp_path / layer / "0-9.h5" for layer in LAYERS]
    for path in paths:
        path.parent.mkdir()
        store.write_pictures(path, "channels", content, {})
    read = trust._pictures

    def watched(given):
        pictures = read(given)
        alive.append(weakref.ref(pictures))
        most.append(sum(one() is not None for one in alive))
        return pictures

    monkeypatch.setattr(trust, "_pictures", watched)
    homes = {name: folder / name for name in SOURCES}
    tables = ({name: home / file for name, home in homes.items()} for file in ("layers.csv", "examples.h5"))
    own = [folder / "one" / "0.h5", folder / "one" / "20.h5"]
    files = trust.Files(*tables, own, folder / "one" / "alike.h5", paths)
    shard = shards.TrustShard(SOURCES["one"], tuple(SOURCES.values()), LAYERS, 3, "cpu")
    told = []
    trust.judge(shard, files, tmp_path / "trust.h5", lambda *how_far: told.append(how_far))
    assert len(most) >= len(LAYERS) - 1
    assert max(most) == 1
    assert told == [(step, len(most)) for step in range(len(most) + 1)]


def test_a_job_that_died_goes_on_with_the_network_and_layer_that_it_was_at(folder, judged, monkeypatch, tmp_path):
    names = {name: folder / name for name in SOURCES}
    tables = ({name: home / file for name, home in names.items()} for file in ("layers.csv", "examples.h5"))
    own = [folder / "one" / "0.h5", folder / "one" / "20.h5"]
    pictures = [folder / "channels" / "layer3" / "0-9.h5"]
    files = trust.Files(*tables, own, folder / "one" / "alike.h5", pictures)
    shard = shards.TrustShard(SOURCES["one"], tuple(SOURCES.values()), LAYERS, 3, "cpu")
    output, looked, look = tmp_path / "trust.h5", [], trust.maxima

    def watched(network, *given):
        looked.append(network)
        if len(looked) == 2:
            raise KeyboardInterrupt
        return look(network, *given)

    monkeypatch.setattr(trust, "maxima", watched)
    with pytest.raises(KeyboardInterrupt):
        trust.judge(shard, files, output, lambda *_: None)
    assert not output.exists()
    trust.judge(shard, files, output, lambda *_: None)
    assert len(looked) == 3, "one network before, the other one twice"
    assert output.read_bytes() == (folder / "trust.h5").read_bytes()
    assert not list(tmp_path.glob("*.part"))
    looked.clear()
    with pytest.raises(KeyboardInterrupt):
        trust.judge(shard, files, output, lambda *_: None)
    os.utime(pictures[0], (1, 1))
    trust.judge(shard, files, output, lambda *_: None)
    assert len(looked) == 4, "the pictures are others now"
