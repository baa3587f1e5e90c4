"""Boxes of examples: the receptive field of a cell against the gradient's support, pasted back on the photograph."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from konvolut.asked.sheets import ModelSource
from konvolut.network import census, models, record
from konvolut.network.photographs import look
from konvolut.pictures import images
from konvolut.techniques.examples import boxes_of_cells

SIDE_PX = 96
# Random inputs per cell: a max pool hands the gradient of one random input to one pixel of its window only.
DRAWS = 8
LAYERS = 3  # of each architecture, from its first to its last that the pictures can hold
# A product of many small weights at the edge of a large field: within double precision.
SMALLEST = 1e-30
ARCHITECTURES = (
    *("resnet18", "resnet26d", "resnext26ts", "vgg11_bn", "densenet121", "tf_efficientnet_lite0", "mobilenetv2_050"),
    *(
        "mobilenetv3_small_050",
        "regnetx_002",
        "convnext_atto",
        "test_mambaout",
        "test_nfnet",
        "test_byobnet",
        "dla46_c",
    ),
    *("ghostnet_050", "mnasnet_small", "tinynet_e", "lcnet_050", "repvgg_a0", "cspdarknet53", "rexnet_100"),
)


def built(timm_name: str) -> models.Network:
    lean = (("mlp_ratio", 0.02),) if timm_name.startswith("vgg") else ()  # without most of its 100 million weights
    network = models.build(ModelSource("m", "m", timm_name, "random:0", lean))
    return dataclasses.replace(network, data=dataclasses.replace(network.data, input_size=(3, SIDE_PX, SIDE_PX)))


def support(network: models.Network, layer, cell: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the input pixels on which some channel of the cell depends."""
    module = network.module.double()
    for parameter in module.parameters():
        if not parameter.any():  # timm starts residual branches at zero: they would hide their fields
            parameter.uniform_(0.5, 1.5)
    forward = record.truncated(SimpleNamespace(module=module), layer)
    generator = torch.Generator().manual_seed(0)
    seen = torch.zeros(SIDE_PX, SIDE_PX, dtype=torch.bool)
    for _ in range(DRAWS):
        x = torch.randn(1, 3, SIDE_PX, SIDE_PX, generator=generator, dtype=torch.float64).requires_grad_()
        forward(x)[0, :, cell[0], cell[1]].sum().backward()
        seen |= x.grad.abs().sum((0, 1)) > SMALLEST
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("timm_name", ARCHITECTURES)
def test_the_box_of_a_cell_is_the_support_of_its_gradient(timm_name):
    network = built(timm_name)
    table = census.census(network)
    rows = table[(table["refused"] == "") & table["receptive_field_exact"] & (table["height"] > 2)]
    rows = rows[rows["receptive_field_px"] <= SIDE_PX * 2 // 3].drop_duplicates(["receptive_field_px", "stride"])
    for _, row in rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), LAYERS)).astype(int)].iterrows():
        layer = SimpleNamespace(**(row.to_dict() | {"name": row["layer"]}))
        for cell in ((row["height"] // 2, row["width"] // 2), (0, row["width"] - 1)):
            whole = np.array([0.0, 0, 1, 1])
            box = boxes_of_cells(row, np.array(cell), whole, (SIDE_PX, SIDE_PX)) * SIDE_PX
            assert tuple(np.rint(box).astype(int)) == support(network, layer, cell), row["layer"]
            assert np.allclose(box, np.rint(box), atol=1e-4)


@pytest.mark.parametrize("timm_name", [*ARCHITECTURES, "fbnetv3_b", "hardcorenas_a", "repghostnet_050"])
def test_every_layer_before_the_first_gate_or_global_pool_has_an_exact_field(timm_name):
    table = census.census(built(timm_name))
    mixes = table["height"] == 1  # what a gate or a global pool makes
    before = table.loc[: mixes.idxmax() - 1]
    units = before[before["refused"] == ""]
    assert mixes.any()
    assert len(units) >= 3
    assert units.loc[~units["receptive_field_exact"], "layer"].tolist() == []


def test_a_layer_behind_a_gate_depends_on_the_whole_picture_and_its_box_says_so():
    network = built("test_efficientnet")  # sigmoid gates: none is flat
    table = census.census(network)
    row = table[(table["refused"] == "") & ~table["receptive_field_exact"] & (table["height"] > 2)].iloc[0]
    layer = SimpleNamespace(**(row.to_dict() | {"name": row["layer"]}))
    box = boxes_of_cells(row, np.array([1, 1]), np.array([0.0, 0, 1, 1]), (SIDE_PX, SIDE_PX))
    assert box.tolist() == [0, 0, 1, 1]
    assert support(network, layer, (1, 1)) == (0, 0, SIDE_PX, SIDE_PX)


SPOT_PX = 12
ORIENTATIONS = {1: 0, 3: 2, 6: 3, 8: 1}  # EXIF's word for a photograph, and quarter turns that make it upright


@pytest.mark.parametrize("size_wh", [(300, 200), (160, 400), (96, 96), (1000, 130)])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_box_comes_back_to_the_right_place_of_the_original(tmp_path, size_wh, orientation):
    """A bright spot in the original excites one cell; its box, cut from the upright original, holds the spot."""
    rng = np.random.default_rng(orientation)
    wide, tall = size_wh
    spot_px = max(SPOT_PX, min(size_wh) // 10)
    x, y = (round(side / 2 + min(size_wh) * rng.uniform(-0.3, 0.2)) for side in size_wh)  # inside of the centre crop
    upright = np.full((tall, wide, 3), 40, np.uint8)
    upright[y : y + spot_px, x : x + spot_px] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(upright, -ORIENTATIONS[orientation])
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(images.read(tmp_path / "p.png"), upright)
    data = models.DataConfig((3, SIDE_PX, SIDE_PX), (0.5,) * 3, (0.5,) * 3, "bicubic", 0.875, "center")
    seen = look(SimpleNamespace(data=data), SimpleNamespace(path=tmp_path / "p.png"))
    # A layer of cells of 8 px without overlap: its brightest cell is where the spot is.
    cells = seen.picture[..., 0].reshape(SIDE_PX // 8, 8, SIDE_PX // 8, 8).mean((1, 3))
    cell = np.array(np.unravel_index(cells.argmax(), cells.shape))
    row = {"receptive_field_exact": True, "receptive_field_start_px": 0, "receptive_field_px": 8, "stride": 8}
    left, top, right, bottom = boxes_of_cells(row, cell, np.array(seen.box), (SIDE_PX, SIDE_PX)) * ([wide, tall] * 2)
    crop = upright[round(top) : round(bottom), round(left) : round(right), 0]
    assert crop.size
    assert crop.mean() > 0.6 * 255
    assert x - 1 <= (left + right) / 2 <= x + spot_px + 1
    assert y - 1 <= (top + bottom) / 2 <= y + spot_px + 1
