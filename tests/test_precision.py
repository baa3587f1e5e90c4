"""Which precision is taken on this device, and that every shard is told the same."""

import dataclasses

import pandas as pd
import pytest
import torch

from konvolut.asked import censuses, recipes, shards
from konvolut.asked.precision import read_precisions, settled
from konvolut.asked.settings import ModelSource
from konvolut.network import inspection, models, precision, record
from konvolut.network.streamline import as_input, narrowed

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


def test_the_fastest_batch_of_a_layer_is_chosen():
    both = pd.concat([table(batch=8), table(slow=(9.0, 31.0), fast=(5.0, 16.0), batch=32)], ignore_index=True)
    chosen = precision.decide(both).query("chosen")
    assert dict(zip(chosen["layer"], chosen["batch"], strict=True)) == {"first": 32, "last": 8}


def test_a_model_is_measured_and_the_table_read_again(tmp_path):
    inspection.inspect(shards.to_json(SOURCE), tmp_path / "layers.csv")
    said = []
    shard = shards.PrecisionShard(SOURCE, "cpu")
    precision.choose(shard, tmp_path / "layers.csv", tmp_path / "precision.csv", said.append)
    found = read_precisions(tmp_path / "precision.csv")
    assert found["layer"].nunique() == precision.LAYERS
    assert (found["milliseconds"] > 0).all()
    assert said[0].startswith(found["reason"][0])
    assert (found[found["precision"] == "float32"]["agreement"] == 1).all()


def test_a_shard_is_told_the_precision_and_why(tmp_path):
    precision.decide(table()).to_csv(tmp_path / "precision.csv", index=False)
    shard = shards.ChannelsShard(SOURCE, "first", (0,), recipes.named("lucid"), 0, "cpu")
    told = settled(shard, [str(tmp_path / "precision.csv")])
    assert told.recipe == dataclasses.replace(shard.recipe, precision="bfloat16")
    assert told.why.startswith("bfloat16: ")
    by_hand = dataclasses.replace(shard, recipe=recipes.named("lucid", precision="float32"))
    assert settled(by_hand, []).recipe.precision == "float32"
    assert settled(shard, []) == shard


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
