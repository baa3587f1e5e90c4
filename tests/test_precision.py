"""Which precision is taken on this device, and that every shard is told the same."""

import dataclasses

import pandas as pd
import pytest
import torch

from konvolut.asked import as_json, built_in, censuses, costs, loads, recipes, shards
from konvolut.asked.precision import read_precisions, settled
from konvolut.asked.settings import ModelSource
from konvolut.network import inspection, models, precision, record, streamline
from konvolut.network.streamline import as_input, narrowed
from marks import IN_BFLOAT16

SOURCE = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")


def table(slow=(10.0, 30.0), fast=(6.0, 15.0), agreement=(0.99, 0.95), batch=8):
    """Two layers in float32 and in bfloat16: milliseconds and the latter's agreement."""
    rows = []
    for index, layer in enumerate(("first", "last")):
        row = {"layer": layer, "device": "cpu", "batch": batch, "px": 160, "problem": ""}
        rows.append(row | {"precision": "float32", "milliseconds": slow[index], "agreement": 1.0})
        rows.append(row | {"precision": "bfloat16", "milliseconds": fast[index], "agreement": agreement[index]})
    return pd.DataFrame(rows)


def test_what_is_clearly_faster_is_taken_for_all_layers():
    decided = precision.decide(table())
    assert decided[decided["chosen"]]["precision"].tolist() == ["bfloat16", "bfloat16"]
    assert decided["gain"].unique().tolist() == [pytest.approx(40 / 21, abs=1e-3)]
    assert decided["reason"][0] == "bfloat16: clearly faster on this device"


@pytest.mark.parametrize(
    "changes",
    [{"fast": (9.0, 28.0)}, {"fast": (20.0, 60.0)}, {"agreement": (0.99, 0.1)}, {"fast": (float("nan"), 15.0)}],
    ids=str,
)
def test_float32_stays_where_the_gain_is_small_or_gradients_differ_or_a_layer_cannot(changes):
    decided = precision.decide(table(**changes))
    assert decided[decided["chosen"]]["precision"].tolist() == ["float32", "float32"]


def test_a_device_without_the_other_precision_is_told_apart_from_one_where_it_is_slow():
    decided = precision.decide(table(fast=(float("nan"), float("nan")), agreement=(0.0, 0.0)))
    assert decided["reason"][0] == "float32: bfloat16 does not run on this device"
    assert decided[decided["chosen"]]["precision"].tolist() == ["float32", "float32"]


def test_what_cannot_be_measured_is_noted_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(streamline, "computes_in_bfloat16", lambda device: False)
    inspection.inspect(as_json.to_json(SOURCE), tmp_path / "layers.csv")
    said = []
    precision.choose(
        shards.PrecisionShard(SOURCE, "cpu"), tmp_path / "layers.csv", tmp_path / "precision.csv", said.append
    )
    found = read_precisions(tmp_path / "precision.csv")
    problems = found[found["precision"] == "bfloat16"]["problem"]
    assert len(problems) == precision.LAYERS
    assert problems.str.startswith("precision: bfloat16: this CPU cannot compute in it").all()
    assert said[0] == "float32: bfloat16 does not run on this device"


def test_the_fastest_batch_of_a_layer_is_chosen():
    both = pd.concat([table(batch=8), table(slow=(9.0, 31.0), fast=(5.0, 16.0), batch=32)], ignore_index=True)
    chosen = precision.decide(both).query("chosen")
    assert dict(zip(chosen["layer"], chosen["batch"], strict=True)) == {"first": 32, "last": 8}


def test_a_model_is_measured_and_the_table_read_again(tmp_path):
    inspection.inspect(as_json.to_json(SOURCE), tmp_path / "layers.csv")
    said = []
    shard = shards.PrecisionShard(SOURCE, "cpu")
    precision.choose(shard, tmp_path / "layers.csv", tmp_path / "precision.csv", said.append)
    found = read_precisions(tmp_path / "precision.csv")
    assert found["layer"].nunique() == precision.LAYERS
    assert ((found["milliseconds"] > 0) == (found["problem"] == "")).all()  # not every CPU computes in bfloat16
    assert (found[found["precision"] == "float32"]["problem"] == "").all()
    assert said[0].startswith(found["reason"][0])
    assert (found[found["precision"] == "float32"]["agreement"] == 1).all()


def test_a_shard_is_told_the_precision_and_why(tmp_path):
    precision.decide(table()).to_csv(tmp_path / "precision.csv", index=False)
    shard = shards.ChannelsShard(SOURCE, "first", (0,), built_in.named("lucid"), 0, "cpu")
    census(tmp_path / "layers.csv")
    told = settled(shard, [str(tmp_path / "precision.csv")], tmp_path / "layers.csv")
    assert told.recipe == dataclasses.replace(shard.recipe, precision="bfloat16", units_per_batch=told.recipe.at_once)
    assert told.why.startswith("bfloat16: ")
    by_hand = dataclasses.replace(shard, recipe=built_in.named("lucid", precision="float32"))
    assert settled(by_hand, [], tmp_path / "layers.csv").recipe.precision == "float32"
    assert settled(shard, [], tmp_path / "layers.csv") == shard


def census(path):
    """Two layers of a model that sees 160 px: the first sees little of a picture."""
    rows = [("first", 16, 40, 40, 4, 1e8, 11), ("middle", 32, 20, 20, 8, 8e8, 80), ("last", 64, 10, 10, 16, 1e9, 300)]
    names = ["layer", "channels", "height", "width", "stride", "flops", "receptive_field_px"]
    found = pd.DataFrame(rows, columns=names).assign(parameters=1000, refused="", same_as="", kind="Conv2d", stage="")
    found.assign(layout="bchw", activation="").to_csv(path, index=False)


def batch_told(folder, recipe, layer="last", kind=shards.ChannelsShard, **more):
    shard = kind(SOURCE, layer, (0,), **more, recipe=recipe, seed=0, device="cpu")
    return settled(shard, [str(folder / "precision.csv")], folder / "layers.csv").recipe.units_per_batch


def test_a_shard_is_told_the_batch_that_shows_the_model_as_much_as_the_best_one_measured(tmp_path, monkeypatch):
    census(tmp_path / "layers.csv")
    table(batch=4).pipe(precision.decide).to_csv(tmp_path / "precision.csv", index=False)
    own_size = built_in.named("lucid", size_px=160)
    assert batch_told(tmp_path, own_size) == 4
    assert batch_told(tmp_path, built_in.named("lucid", size_px=80)) == 16, "a quarter of the pixels each"
    assert batch_told(tmp_path, built_in.named("konvolut", size_px=160), layer="first") == 25, "pictures of 64 px"
    assert batch_told(tmp_path, built_in.named("maco")) == 1, "32 crops of one picture"
    dreams = {"photographs": (), "longest_side_px": 80}
    assert batch_told(tmp_path, own_size, kind=shards.DreamsShard, **dreams) == int(4 / (3 / 4 / 4))
    assert batch_told(tmp_path, built_in.named("lucid", units_per_batch=3)) == 3, "asked for"
    one = costs.passes_of(censuses.read_census(tmp_path / "layers.csv"))["last"]
    monkeypatch.setattr(loads, "BATCH_MB", 3 * 4 * one.mcells + 0.001)
    assert batch_told(tmp_path, own_size) == 3, "what the plan counts with"


def test_a_layer_that_was_not_measured_takes_the_batch_of_the_nearest_one(tmp_path):
    census(tmp_path / "layers.csv")
    rows = pd.concat([table(batch=8), table(slow=(20.0, 29.0), fast=(7.0, 10.0), batch=16)], ignore_index=True)
    precision.decide(rows).to_csv(tmp_path / "precision.csv", index=False)
    own_size = built_in.named("lucid", size_px=160)
    batches = [batch_told(tmp_path, own_size, layer) for layer in ("first", "middle", "last")]
    assert batches == [8, 16, 16]


def test_batches_grow_as_long_as_it_pays_and_memory_goes(monkeypatch):
    network = models.build(SOURCE)
    layer = censuses.LayerSpec("blocks.0", "bchw", 0, 10, 10, 16, 100, 0)
    each = {4: 2.0, 8: 1.0, 16: 0.6, 32: 0.599}
    monkeypatch.setattr(precision, "_timed", lambda lean, layer, noise, name: (each[len(noise)] * len(noise), None))
    known = [{"layer": "blocks.0", "precision": "float32", "batch": 8, "milliseconds": 1000.0}]
    found = precision.more_batches(network, layer, known, 32)
    assert [(row["batch"], row["milliseconds"]) for row in found] == [(4, 2000), (16, 600), (32, 599)]
    assert precision.best_batch(pd.DataFrame(known + found)) == 16
    assert [row["batch"] for row in precision.more_batches(network, layer, known, 16)] == [4, 16]
    each[8] = known[0]["milliseconds"] / 1000
    each[16] = 0.99
    assert [row["batch"] for row in precision.more_batches(network, layer, known, 32)] == [4, 16]


def test_how_many_are_made_at_once_is_no_part_of_a_passport():
    told = built_in.named("lucid", units_per_batch=3).told()
    assert told == built_in.named("lucid").told()
    assert set(told) == {field.name for field in dataclasses.fields(recipes.Recipe)} - {"units_per_batch"}
    shard = shards.ChannelsShard(SOURCE, "first", (0,), built_in.named("lucid"), 0, "cpu")
    assert shards.told(shard)["recipe"] == told


@IN_BFLOAT16
def test_a_narrowed_network_puts_out_nearly_the_same_and_leaves_the_network_as_it_was():
    network = models.build(SOURCE)
    layer = censuses.LayerSpec("blocks.3", "bchw", 0, 10, 10, 16, 100, 0)
    inputs = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    narrow = narrowed(network, "bfloat16")
    found = record.truncated(narrow, layer)(as_input(inputs, "bfloat16")).float()
    expected = record.truncated(network, layer)(inputs)
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()
    assert {parameter.dtype for parameter in network.module.parameters()} == {torch.float32}
    assert narrowed(network, "auto") is network
