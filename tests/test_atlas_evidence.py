"""Look-alikes and trust on a layer's page: what the panel is told is what the files say."""

import json
from pathlib import Path

import numpy as np
import pytest

from konvolut.asked.selection import parse_channels
from konvolut.atlas.write import layer_pages
from konvolut.results import evidence, store
from synthetic_results import PASSPORT, Results, photographs

UNITS = 32
PLACES = {("net", "conv_stem"): UNITS, ("net", "blocks.1"): 12, ("other <b>", "conv_stem"): UNITS}
CHANCE = 0.4


def told(page: Path) -> dict:
    """The first details file of a layer, with what photographs say of each unit under `units`."""
    text = (page / "details-0.js").read_text(encoding="utf-8")
    content = json.loads(text.removeprefix("ATLAS(").rstrip().removesuffix(")"))
    columns = content["of"]
    places = enumerate(parse_channels(columns.pop("units")))
    content["units"] = {unit: {name: column[place] for name, column in columns.items()} for place, unit in places}
    return content


@pytest.fixture(scope="module")
def details(tmp_path_factory):
    """The details file of conv_stem, with look-alikes of all its units and trust in two pictures."""
    folder = tmp_path_factory.mktemp("evidence")
    result = Results(
        folder / "results", "net", {"conv_stem": ("stem", UNITS, [0, 1, 2])}, photographs(("coffee", "rocket"))
    )
    correlation = np.tile(np.array([0.9, 0.5, 0.3], np.float32), (UNITS, 1))
    unit = np.tile(np.array([3, 4, 5], np.int32), (UNITS, 1))
    place = np.tile(np.array([2, 2, 2], np.int32), (UNITS, 1))
    alike = {
        "inside": evidence.Alike(np.zeros_like(place), unit, correlation, CHANCE),
        "twins/other <b>": evidence.Alike(place, unit, correlation, CHANCE),
        "across": evidence.Alike(place - 3, unit, np.full_like(correlation, np.nan), CHANCE),
    }
    store.write_alike(folder / "alike.h5", PLACES, {"conv_stem": alike}, PASSPORT)
    trust = evidence.Trust(
        channel=np.array([0, 2], np.int32),
        below=["blocks.0"],
        path=np.array([[0.25], [np.nan]], np.float32),
        similarity=np.zeros((2, 1, 3), np.float32),
        relation=["inside", "other <b>"],
        twin_model=[model for model, _ in PLACES],
        twin_layer=[layer for _, layer in PLACES],
        twin_place=np.array([[0, 2], [-1, 2]], np.int32),
        twin_unit=np.array([[3, 4], [-1, 6]], np.int32),
        twin_correlation=np.array([[0.9, 0.8], [np.nan, 0.7]], np.float32),
        twin_reached=np.array([[2, 3], [np.nan, 1]], np.float32),
        twin_best=np.array([[4, 5], [np.nan, 6]], np.float32),
        twin_deviations=np.array([[1.5, -0.5], [np.nan, 0.25]], np.float32),
    )
    store.write_named(folder / "trust.h5", "trust", {"conv_stem": trust}, PASSPORT)
    inputs = result.layer_inputs("conv_stem", alike=folder / "alike.h5", trust=folder / "trust.h5")
    layer_pages(inputs, folder / "atlas/net/conv_stem.html", folder / "atlas/net/conv_stem")
    return told(folder / "atlas/net/conv_stem")


def test_only_look_alikes_above_chance_are_told_with_their_model_layer_and_unit(details):
    rows = {relation: (chance, found) for relation, chance, found in details["units"][7]["alike"]}
    assert set(rows) == {"inside", "across", "other <b>"}
    assert rows["across"] == (CHANCE, [])
    chance, found = rows["other <b>"]
    assert (chance, [(unit, share) for _, unit, share in found]) == (CHANCE, [(3, 0.9), (4, 0.5)])
    assert {tuple(details["places"][place]) for place, _, _ in found} == {("other <b>", "conv_stem", UNITS)}


def test_trust_is_told_of_the_pictures_that_were_judged(details):
    units = details["units"]
    assert units[0]["trust"]["path"] == [["blocks.0", 0.25]]
    twins = [(name, details["places"][place], *rest) for name, place, *rest in units[0]["trust"]["twins"]]
    assert twins[0] == ("inside", ["net", "conv_stem", UNITS], 3, 2, 4, 1.5)
    assert twins[1] == ("other <b>", ["other <b>", "conv_stem", UNITS], 4, 3, 5, -0.5)
    assert units[2]["trust"]["path"] == [["blocks.0", None]]
    assert len(units[2]["trust"]["twins"]) == 1
    assert units[1]["trust"] is None


@pytest.mark.parametrize(("alike_from", "wanted"), [(30, 30), (2, 0), (0, 0)])
def test_a_layer_without_look_alikes_says_how_many_photographs_they_take(tmp_path, alike_from, wanted):
    result = Results(tmp_path, "net", {"conv_stem": ("stem", UNITS, [0])}, photographs(("coffee", "rocket")))
    layer_pages(result.layer_inputs("conv_stem", alike_from=alike_from), tmp_path / "l.html", tmp_path / "l")
    assert told(tmp_path / "l")["wanted"] == wanted


def test_a_photograph_stands_at_one_quantile_only_and_the_others_keep_their_value(details):
    for unit in details["units"].values():
        shown = [number for _, numbers, _, _ in unit["between"] for number in numbers]
        assert len(shown) == len(set(shown)) <= 2
        assert len(unit["between"]) == 3
        assert all(value is not None for value, *_ in unit["between"])
