"""The atlas of a sweep that has not ended: what is there, what is not, and what is taken over from the last one."""

import dataclasses
import json
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from konvolut.asked import settings
from konvolut.asked.chosen import Photographs
from konvolut.asked.shards import AtlasShard
from konvolut.asked.told import Told
from konvolut.atlas import running, write
from synthetic_results import Results, atlas_settings, photographs

LAYERS = {"a": ("1", 8, [0, 1, 2, 3]), "b": ("2", 8, [0, 1]), "c": ("3", 8, [])}
NOT_RUN = ("saliency", "patches", "fooling", "inversion", "classes", "alike", "trust")
NOT_RUN += ("neuron", "negative", "diversity", "maco", "accentuation", "layer_dreams", "caricature")
PLANNED = {"a": ["0-1", "2-3"], "b": ["0-1", "2-3"], "c": ["0-3"]}


@pytest.fixture
def sweep(tmp_path):
    """Results of a model with three layers, and its plan: b has half of its pictures, c none."""
    photos = photographs(("coffee", "camera", "rocket"))
    results = Results(tmp_path / "results", "net", LAYERS, photos)
    rows = [
        {"technique": "channels", "model": "net", "layer": layer, "channels": text, "units": 2 + 2 * (layer == "c")}
        | dict(zip(("first", "last"), map(int, text.split("-")), strict=True))
        for layer, texts in PLANNED.items()
        for text in texts
    ]
    rows += [
        {"technique": "atlas", "model": "net", "layer": layer, "channels": "", "units": 0, "first": 0, "last": 0}
        for layer in LAYERS
    ]
    rows.append(rows[0] | {"technique": "activations", "layer": "", "channels": ""})
    patterns = {
        "identity": "model.json",
        "layers": "layers.csv",
        "examples": "examples.h5",
        "kernels": "kernels.h5",
        "activations": "activations.h5",
        "channels": "channels/{layer}/{first}-{last}.h5",
        "dreams": "dreams/{layer}/{first}-{last}.h5",
    }
    patterns |= dict.fromkeys(NOT_RUN, "none.h5")
    patterns = {name: f"{tmp_path}/results/{{model}}/{pattern}" for name, pattern in patterns.items()}
    sources = running.Sources(pd.DataFrame(rows), patterns, "snakemake {model}/{layer}/{{channel}}")
    return results, sources, AtlasShard(photos, atlas_settings(photos), 9), tmp_path / "atlas-now"


def inodes(folder) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_what_is_there_is_shown_and_what_is_not_is_named(sweep):
    _, sources, shard, atlas = sweep
    sentence = running.build(sources, shard, atlas, 2)
    assert sentence == "The sweep is running: 6 of 12 pictures of units are there."
    assert sentence in (atlas / "index.html").read_text()
    assert sentence in (atlas / "about.html").read_text()
    assert "Not yet rendered: 2 units (2–3)" in (atlas / "net" / "b.html").read_text()
    assert "Not yet rendered: 4 units (0–3)" in (atlas / "net" / "c.html").read_text()
    assert "not yet rendered" not in (atlas / "net" / "a.html").read_text().lower()
    assert "2 units not yet rendered" in (atlas / "net" / "index.html").read_text()
    assert not atlas.with_name("atlas-now.new").exists()
    assert not atlas.with_name("atlas-now.old").exists()


def test_only_layers_with_new_results_are_made_again(sweep):
    results, sources, shard, atlas = sweep
    running.build(sources, shard, atlas, 1)
    before = {layer: inodes(atlas / "net" / layer) for layer in LAYERS}
    results._write_pictures("b", [2, 3])
    running.build(sources, shard, atlas, 1)
    after = {layer: inodes(atlas / "net" / layer) for layer in LAYERS}
    assert after["a"] == before["a"]
    assert after["c"] == before["c"]
    assert not set(after["b"].values()) & set(before["b"].values())
    assert "not yet rendered" not in (atlas / "net" / "b.html").read_text().lower()


def test_changed_code_makes_an_unchanged_layer_anew(sweep, monkeypatch):
    _, sources, shard, atlas = sweep
    running.build(sources, shard, atlas, 1)
    before = (atlas / "net" / "a.html").stat().st_ino
    running.build(sources, shard, atlas, 1)
    assert (atlas / "net" / "a.html").stat().st_ino == before
    monkeypatch.setattr(running, "code_digest", lambda *_: "other code")
    page = running._stamp(running._layer_inputs(sources, shard, "net", "a"))
    assert page != (atlas / "net" / "a" / running.STAMP).read_text()


def test_a_layer_that_is_complete_is_what_the_finished_sweep_would_show(sweep, tmp_path):
    results, sources, shard, atlas = sweep
    running.build(sources, shard, atlas, 1)
    whole = results.layer_inputs("a", dreams=(), again="snakemake net/a/{channel}")
    absent = dict.fromkeys(("accentuation", "layer_dreams", "caricature"), ()) | {"alike": None, "trust": None}
    whole = dataclasses.replace(whole, settings=shard.settings, **absent)
    write.layer_pages(whole, tmp_path / "done" / "a.html", tmp_path / "done" / "a")
    assert (tmp_path / "done" / "a.html").read_bytes() == (atlas / "net" / "a.html").read_bytes()
    for path in (tmp_path / "done" / "a").iterdir():
        assert path.read_bytes() == (atlas / "net" / "a" / path.name).read_bytes()


def test_a_build_that_fails_leaves_the_last_atlas_whole(sweep, monkeypatch):
    _, sources, shard, atlas = sweep
    running.build(sources, shard, atlas, 1)
    before = inodes(atlas)
    monkeypatch.setattr(write, "front_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        running.build(sources, shard, atlas, 1)
    assert inodes(atlas) == before


def test_a_model_that_was_not_inspected_yet_is_left_out(sweep):
    results, sources, shard, atlas = sweep
    shutil.move(results.folder / "model.json", results.folder / "gone.json")
    running.build(sources, shard, atlas, 1)
    assert json.loads((atlas / "manifest.json").read_text())["models"] == []
    assert "Nothing has been computed yet" in (atlas / "index.html").read_text()


@pytest.mark.parametrize("layer", ["conv_stem", "a b & c", "it's"])
def test_a_shell_reads_the_command_of_a_unit_as_the_file_that_was_meant(layer):
    wanted = settings.load({}, Path(__file__).parents[1])
    told = Told(SimpleNamespace(settings=wanted, readable=lambda: Photographs((), ())))
    command = json.loads(told.atlas(SimpleNamespace(model="net", layer=layer)))["again"].replace("{channel}", "5")
    assert shlex.split(command) == ["snakemake", "--cores", "all", f"results/net/channels/{layer}/5-5.h5"]
