"""Receptive fields: arithmetic against the support of the gradient, the definition of what a cell can see."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from konvolut.asked.sheets import ModelSource
from konvolut.network import census, models, receptive, record
from konvolut.network.fields import WHOLE, Span

# Random inputs and random cotangents per cell: enough that no pixel of a field stays at gradient zero by chance
# (a max pool hands the gradient of one random input to one pixel of its window only).
DRAWS = 6
# A chain of many layers reaches the outermost pixels of its field by products of many weights: compare where the
# gradient is within double precision.
SMALLEST = 1e-30


def built(timm_name: str, **options) -> models.Network:
    return models.build(ModelSource("m", "m", timm_name, "random:0", tuple(options.items())))


def gradient_support(network: models.Network, layer, cell: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of the input on which some channel of the cell depends."""
    module = network.module.double()
    for parameter in module.parameters():
        if not parameter.any():  # timm starts residual branches at zero: they would hide their fields
            parameter.uniform_(0.5, 1.5)
    forward = record.truncated(SimpleNamespace(module=module), layer)
    total = torch.zeros(network.data.input_size[1:], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        x = torch.randn(1, *network.data.input_size, generator=generator, dtype=torch.float64).requires_grad_()
        forward(x)[0, :, cell[0], cell[1]].sum().backward()
        total += x.grad.abs().sum((0, 1))
    seen = total > SMALLEST
    return seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()


def exact_layers(table, *, smaller_than: int):
    rows = table[(table["refused"] == "") & table["receptive_field_exact"] & (table["height"] > 1)]
    return rows[rows["receptive_field_px"] < smaller_than].drop_duplicates(["receptive_field_px", "stride"])


@pytest.mark.parametrize(
    ("timm_name", "options"),
    [
        ("resnet18", {}),
        ("tf_efficientnet_lite0", {}),
        ("test_resnet", {"in_chans": 1}),
        ("test_convnext", {}),
        ("test_mambaout", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_gradient_of_a_cell_lies_in_its_field_and_reaches_the_edges(timm_name, options):
    network = built(timm_name, **options)
    table = census.census(network)
    rows = exact_layers(table, smaller_than=network.data.input_size[1] // 3)
    assert len(rows) >= 3
    for row in rows.iloc[:: max(1, len(rows) // 4)].itertuples():
        layer = SimpleNamespace(**(row._asdict() | {"name": row.layer}))
        cell = row.height // 2
        first = row.receptive_field_start_px + cell * row.stride
        for seen in gradient_support(network, layer, (cell, cell)):
            assert (int(seen.min()), int(seen.max())) == (first, first + row.receptive_field_px - 1), row.layer


def test_known_fields_of_published_networks():
    # Araujo et al., "Computing receptive fields of convolutional neural networks", Distill 2019: their recursion
    # gives 435 px for ResNet-18 before pooling and 851 px for EfficientNet-B0's blocks, which lite0 shares.
    table = census.census(built("resnet18")).set_index("layer")
    assert table.loc["layer4", "receptive_field_px"] == 435
    assert table.loc["conv1", "receptive_field_px"] == 7
    assert table.loc["conv1", "receptive_field_start_px"] == -3
    table = census.census(built("tf_efficientnet_lite0")).set_index("layer")
    assert table.loc["blocks.6", "receptive_field_px"] == 851


def test_a_squeeze_excite_gate_makes_the_field_the_whole_input():
    table = census.census(built("test_efficientnet")).set_index("layer")
    gated = [name for name in table.index if name.endswith(".se")]
    called = [name for name in gated if table.loc[name, "calls"] and table.loc[name, "kind"] == "SqueezeExcite"]
    assert called
    for name in called:
        assert not table.loc[name, "receptive_field_exact"]
        assert table.loc[name, "receptive_field_px"] == 160
    assert table.loc["conv_stem", "receptive_field_exact"]


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x))


def field_of(function, size=(16, 16)):
    module, x = Net(function).eval(), torch.zeros(2, 3, *size)
    with torch.inference_mode(), receptive.FieldTracker(x) as tracker:
        return tracker.field_of(module(x))


def assign_part(x):
    x = x.clone()
    x[:, :2] = nn.functional.avg_pool2d(x, 9, 1, 4)[:, :2]
    return x * 2


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + 1, Span(1, -1, 3)),
        (lambda x: x[:, :, 4::2, 4::2], Span(2, 3, 3)),
        (lambda x: x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2).unflatten(2, (16, 16)), Span(1, -1, 3)),
        (lambda x: torch.cat([x, nn.functional.max_pool2d(x, 3, 1, 1)], 1), Span(1, -2, 5)),
        (lambda x: nn.functional.pad(x, (2, 0, 2, 0))[..., ::4, ::4], Span(4, -3, 3)),
        (lambda x: x.relu_().chunk(2, 1)[1], Span(1, -1, 3)),
        (lambda x: nn.functional.adaptive_avg_pool2d(x, 4), Span(4, -1, 6)),
        (torch.ops.aten.alias, Span(1, -1, 3)),
    ],
    ids=["plus", "crop", "tokens", "concat", "pad", "inplace", "pool", "alias"],
)
def test_single_operations_give_the_field_that_one_counts_by_hand(function, expected):
    field = field_of(function)
    assert (field.y, field.x, field.exact) == (expected, expected, True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.flip(2),
        lambda x: x.roll(3, dims=3),
        lambda x: x * x.mean((2, 3), keepdim=True),
        lambda x: x.flatten(2).softmax(2),
        lambda x: nn.functional.group_norm(x, 2),
        lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
        lambda x: x + x.transpose(2, 3),
        lambda x: x + nn.functional.interpolate(nn.functional.max_pool2d(x, 2), scale_factor=2),
        lambda x: x.unflatten(2, (4, 4)).sum(2),
        lambda x: nn.functional.layer_norm(x, x.shape[1:]),
        assign_part,
        lambda x: x.unflatten(1, (2, 2)).transpose(1, 2).flatten(1, 2).chunk(2, 1)[0],
    ],
    ids=(
        *("flip", "roll", "gate", "softmax", "groupnorm", "matmul", "transposed", "upsample", "windows", "layernorm"),
        *("assignment", "shuffled-half"),
    ),
)
def test_what_mixes_space_is_never_given_too_small_a_field(function):
    assert field_of(function) == WHOLE


ACTIVATIONS = (
    *(nn.Hardswish(), nn.Hardswish(inplace=True), nn.Mish(), nn.Mish(inplace=True), nn.PReLU(), nn.PReLU(4)),
    *(
        nn.LogSigmoid(),
        nn.ReLU6(),
        nn.Hardsigmoid(),
        nn.Softplus(),
        nn.Hardshrink(),
        nn.Softshrink(),
        nn.Threshold(0, 1),
    ),
    *(nn.CELU(), nn.SELU(), nn.ELU(), nn.GELU(), nn.SiLU(inplace=True), nn.Tanhshrink(), nn.Softsign(), nn.Hardtanh()),
    *(nn.LeakyReLU(), nn.RReLU(), nn.Threshold(0, 1), nn.Dropout2d(), nn.Identity()),
)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_an_activation_leaves_the_field_as_it_is(activation):
    field = field_of(activation)
    assert (field.y, field.x, field.exact) == (Span(1, -1, 3), Span(1, -1, 3), True)


def test_rows_and_columns_have_fields_of_their_own():
    field = field_of(lambda x: nn.functional.conv2d(x, torch.ones(4, 4, 1, 7), padding=(0, 3)))
    assert (field.y, field.x) == (Span(1, -1, 3), Span(1, -4, 9))


def test_a_constant_has_no_field():
    x = torch.zeros(1, 3, 8, 8)
    with torch.inference_mode(), receptive.FieldTracker(x) as tracker:
        assert tracker.field_of(torch.ones(3) * 2) is None
