"""Effective receptive fields against the gradient of every channel alone and a square that grows pixel by pixel."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.sheets import ModelSource
from konvolut.network import census, effective, models
from konvolut.network.record import truncated
from konvolut.techniques.examples import boxes_of_cells

SIDE_PX = 32


class Gated(nn.Module):
    """A convolution, a gate that sees everything, another convolution."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 5, 3, 2, 1), nn.Conv2d(5, 6, 3, 1, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, x):
        x = self.first(x)
        return self.second(x * x.mean((2, 3), keepdim=True).sigmoid())


def spec(name: str, height: int, width: int) -> LayerSpec:
    return LayerSpec(name, "bchw", 0, height, width, 2, SIDE_PX, 0)


def network_of(module: nn.Module):
    data = SimpleNamespace(input_size=(3, SIDE_PX, SIDE_PX))
    return SimpleNamespace(module=module.eval().requires_grad_(False), data=data, device=torch.device("cpu"))


@pytest.fixture
def gated():
    return network_of(Gated(torch.Generator().manual_seed(0)))


def slow_mass(network, layer: LayerSpec) -> np.ndarray:
    """The definition: one gradient for each channel, then signs, absolute values and sums, pixel by pixel."""
    total = np.zeros((SIDE_PX, SIDE_PX))
    for picture in range(effective.PICTURES):
        generator = torch.Generator().manual_seed(provenance.unit_seed(0, "effective field", picture))
        x = torch.randn(1, 3, SIDE_PX, SIDE_PX, generator=generator).requires_grad_()
        cell = truncated(network, layer)(x)[0, :, layer.height // 2, layer.width // 2]
        signs = torch.randint(0, 2, cell.shape, generator=generator) * 2 - 1
        each = [torch.autograd.grad(one, x, retain_graph=True)[0][0] for one in cell]
        total += sum(sign * one for sign, one in zip(signs, each, strict=True)).abs().sum(0).double().numpy()
    return total


def slow_half_side(mass: np.ndarray, centre: tuple[float, float]) -> float:
    half = 0.0
    while True:
        half += 0.5  # corners of pixels lie at whole and half distances from the centre here
        held = sum(
            mass[y, x]
            for y in range(mass.shape[0])
            for x in range(mass.shape[1])
            if max(abs(y + 0.5 - centre[0]), abs(x + 0.5 - centre[1])) + 0.5 <= half
        )
        if held >= 0.95 * mass.sum():
            return half


def test_the_mass_of_a_pixel_is_the_sum_of_gradients_written_out(gated):
    layer = spec("second", 16, 16)
    found = effective.masses(gated, [layer])["second"]
    assert np.allclose(found, slow_mass(gated, layer), rtol=1e-4, atol=1e-6)
    assert (found > 0).all()  # the gate sees everything


@pytest.mark.parametrize("centre", [(17.0, 17.0), (16.5, 9.0), (0.5, 31.5)])
@pytest.mark.parametrize("seed", range(3))
def test_a_half_side_is_that_of_the_first_square_that_holds_enough(seed, centre):
    mass = np.random.default_rng(seed).exponential(size=(SIDE_PX, SIDE_PX)) ** 4
    assert effective.half_side(mass, centre) == slow_half_side(mass, centre)


def test_many_layers_at_once_are_as_each_alone_and_no_hook_stays(gated):
    layers = [spec("first", 16, 16), spec("second", 16, 16)]
    together = effective.half_sides(gated, layers)
    assert list(together) == ["first", "second"]
    for layer in layers:
        mass = slow_mass(gated, layer) if layer.name == "first" else effective.masses(gated, layers)[layer.name]
        assert together[layer.name] == slow_half_side(mass, effective.middle(layer, (SIDE_PX, SIDE_PX)))
    assert not any(module._forward_hooks for module in gated.module.modules())


def test_the_square_of_a_convolution_lies_within_its_receptive_field(gated):
    layer = spec("first", 16, 16)
    assert (
        0 < 2 * effective.half_sides(gated, [layer])["first"] <= 3 + 1
    )  # the middle of a cell is not that of its field


def test_maps_that_are_no_grid_of_squares_on_the_input_have_none(gated):
    assert effective.half_sides(gated, [spec("first", 1, 1), spec("second", 4, 16)]) == {}


def test_a_layer_behind_a_gate_gets_a_box_smaller_than_the_picture():
    network = models.build(ModelSource("m", "m", "test_efficientnet", "random:0"))
    table = census.census(network)
    row = table[(table["refused"] == "") & ~table["receptive_field_exact"] & (table["height"] > 2)].iloc[0]
    layer = LayerSpec(
        row["layer"], row["layout"], *map(int, (row["channels"], row["height"], row["width"], row["stride"], 160, 0))
    )
    half = effective.half_sides(network, [layer])[layer.name]
    hw = tuple(network.data.input_size[1:])
    cell = np.array([row["height"] // 2, row["width"] // 2])
    left, top, right, bottom = boxes_of_cells(row, cell, np.array([0.0, 0, 1, 1]), hw, half)
    assert 0 < right - left < 0.9
    middle_y, middle_x = effective.middle(layer, hw)
    assert np.allclose([(top + bottom) / 2, (left + right) / 2], [middle_y / hw[0], middle_x / hw[1]], atol=1e-6)
    assert np.isclose((right - left) * hw[1], 2 * half)
