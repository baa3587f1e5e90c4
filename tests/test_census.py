"""The census: what it says of a layer is what the layer does."""

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked import censuses
from konvolut.asked.sheets import ModelSource
from konvolut.network import census, models, record
from konvolut.network.layouts import Layouts

# One small member of each kind: plain, channels last, gated, tokens, windows, token mixing, grey, reused modules.
NETWORKS = {
    "tf_efficientnet_lite0": {},
    "test_resnet": {"in_chans": 1},
    "test_convnext": {"in_chans": 5},
    "test_efficientnet": {},
    "test_vit": {},
    "test_maxvit": {},
    "mixer_s32_224": {},
    "dla46x_c": {},
}


def built(timm_name: str, **options) -> models.Network:
    row = ModelSource(id="m", key="m", timm_name=timm_name, weights="random:0", options=tuple(options.items()))
    return models.build(row)


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def network(request):
    return built(request.param, **NETWORKS[request.param])


@pytest.fixture(scope="module")
def table(network):
    return census.census(network)


def test_every_module_has_a_row_and_a_refused_one_a_reason(network, table):
    assert set(table["layer"]) == {name for name, _ in network.module.named_modules() if name}
    assert table["layer"].is_unique
    assert (table["refused"] == "").sum() > len(table) / 4
    assert (table["layout"].eq("") == table["refused"].ne("")).all()


def test_the_shapes_are_those_of_a_real_pass(network, table):
    rows = table[table["refused"] == ""]
    layers = [censuses.LayerSpec(row.layer, row.layout, *row[6:10], 0, 0) for row in rows.itertuples()]
    with (
        torch.inference_mode(),
        record.record(network.module, layers, keep=lambda shown, _: tuple(shown.shape)) as shapes,
    ):
        shapes.run(network.module, torch.zeros(1, *network.data.input_size))
    for row in rows.itertuples():
        assert shapes[row.layer] == (1, row.channels, row.height, row.width), row.layer


def test_only_layers_with_units_are_automatic_and_the_last_is_the_classifier(table):
    auto = table[table["auto"]]
    assert 3 <= len(auto) <= 14
    assert (auto["refused"] == "").all()
    assert auto["channels"].iloc[-1] == 1000


def test_a_census_survives_its_file(table, tmp_path):
    census.write_census(table, tmp_path / "layers.csv")
    again = censuses.read_census(tmp_path / "layers.csv")
    assert list(again.columns) == list(census.COLUMNS)
    assert again.astype(table.dtypes).equals(table)


def test_no_hook_is_left_on_the_model(network, table):
    assert not any(child._forward_hooks for child in network.module.modules())


def test_the_default_layers_of_lite0_go_from_stem_to_classifier():
    table = census.census(built("tf_efficientnet_lite0"))
    blocks = [f"blocks.{i}" for i in (0, 1, 2, 4, 6)]
    assert table[table["auto"]]["layer"].tolist() == ["conv_stem", *blocks, "conv_head", "classifier"]


def test_flops_count_up_to_the_layer_for_one_picture():
    table = census.census(built("resnet18")).set_index("layer")
    # conv1: 64 x 3 x 7 x 7 weights at 112 x 112 places, a multiplication and an addition each.
    assert table.loc["conv1", "flops"] == 2 * 64 * 3 * 7 * 7 * 112 * 112
    # 1.814 GMAC of convolutions and the classifier: torchvision's table for ResNet-18 says 1.81.
    assert table.loc["fc", "flops"] == pytest.approx(2 * 1.814e9, rel=1e-3)
    assert table.loc["bn1", "flops"] == table.loc["conv1", "flops"]


class Reusing(nn.Module):
    """An activation used twice and in place, a branch that gives a pair, a module that is never called."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.pair = Pair()
        self.unused = nn.Linear(3, 5)
        self.head = nn.Linear(4, 9)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = self.relu(x + 1)
        x, _ = self.pair(x)
        return self.head(x.mean((2, 3)))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def wrapped(module: nn.Module, size=(3, 16, 16)) -> models.Network:
    data = models.DataConfig(size, (0.5,) * size[0], (0.5,) * size[0], "bicubic", 1.0, "center")
    return models.Network(module.eval(), {}, "", data)


def test_reused_changed_and_odd_modules_are_marked():
    table = census.census(wrapped(Reusing())).set_index("layer")
    assert table["calls"].to_dict() == {"conv": 1, "relu": 2, "pair": 1, "unused": 0, "head": 1}
    assert table["inplace"].to_dict() == {"conv": True, "relu": False, "pair": False, "unused": False, "head": False}
    assert "tuple" in table.loc["pair", "refused"]
    assert "never called" in table.loc["unused", "refused"]
    assert table.loc["relu", "activation"] == "relu"


class Passing(nn.Module):
    """A block whose last layer passes on what it got, and an activation that works in place."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv2d(4, 5, 1), nn.Identity())

    def forward(self, x):
        return self.block(self.relu(self.conv(x)))


def test_layers_that_put_out_the_same_tensor_name_the_last_of_them():
    table = census.census(wrapped(Passing())).set_index("layer")
    same = {"block.0": "block", "block.1": "block", "block": "", "relu": "", "conv": ""}
    assert table["same_as"].to_dict() == same


class Remembering(nn.Module):
    """Keeps a tensor of its first pass, as CoaT does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.kept = None

    def forward(self, x):
        x = self.conv(x)
        self.kept = x.mean() if self.kept is None else self.kept
        return x + self.kept


def test_a_census_leaves_nothing_in_a_model_that_remembers():
    network = wrapped(Remembering())
    weight = network.module.conv.weight
    census.census(network)
    assert network.module.kept is None
    assert network.module.conv.weight is weight
    assert network.module(torch.zeros(1, 3, 16, 16)).device.type == "cpu"


class Asking(nn.Module):
    """Needs the numbers of a tensor, which the meta device has not."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        x = self.conv(x)
        return x if x.sum().item() > -np.inf else -x


def test_a_model_that_asks_for_numbers_gets_a_real_pass():
    row = census.census(wrapped(Asking())).iloc[0]
    assert (row["channels"], row["height"], row["receptive_field_px"]) == (4, 14, 3)


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Conv2d(1, 1, 1), (2, 16, 16, 16), "bchw"),
        (nn.LayerNorm(16), (2, 16, 16, 16), "bhwc"),
        (nn.Identity(), (2, 7, 8, 8), "bchw"),
        (nn.Identity(), (2, 8, 8, 7), "bhwc"),
        (nn.Identity(), (2, 17, 5), "bnc"),
        (nn.Identity(), (2, 10), "bc"),
        (nn.Identity(), (8, 10), "not the batch"),
        (nn.Identity(), (2, 8, 16), "tokens in the last axis"),
        (nn.Identity(), (2, 8, 7), "do not form a grid"),
        (nn.Identity(), (2, 3, 8, 17), "rows and columns"),
        (nn.Softmax(-1), (2, 3, 16, 16), "attention weights"),
        (nn.Identity(), (2, 2, 2, 2, 2), "5 axes"),
        (nn.Identity(), (), "not the batch"),
    ],
    ids=str,
)
def test_layouts_are_told_by_shape_and_kind_or_refused(module, shape, expected):
    network = models.Network(nn.Identity(), {}, "", wrapped(nn.Identity(), (3, 32, 32)).data, [], 1)
    found = Layouts(network).describe("x", module, torch.zeros(shape))
    assert found["layout"] == expected or expected in found["refused"]
    assert (found["layout"] == "") == bool(found["refused"])
