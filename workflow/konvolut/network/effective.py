"""Effective receptive fields: how near to a cell most of what moves it lies, where it looks at the whole input.

After Luo et al., "Understanding the effective receptive field in deep convolutional neural networks" (2016): what
moves a cell is measured by its gradient. The mass of an input pixel is, over pictures of noise and colours, the sum of

    | d (signs . activations of the cell) / d pixel |       signs: +1 or -1 at random for each channel and picture

for the middle cell of the map. A gate spreads a little of it over the whole input, and most stays around the cell.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec
from konvolut.network.models import Network
from konvolut.network.record import record

SHARE = 0.95
PICTURES = 4  # of noise; with 32 half sides in test_efficientnet differ by 4 % at most


def half_sides(network: Network, layers: Sequence[LayerSpec]) -> dict[str, float]:
    """Layer -> half the side in px of the square around a cell that holds 95 % of its mass.

    Layers whose maps do not lie on the input like a grid of square cells are left out, and those that nothing moves.
    """
    layers = [layer for layer in layers if is_grid(layer, network.data.input_size[1:])]
    if not layers:
        return {}
    found = masses(network, layers).items()
    specs = {layer.name: layer for layer in layers}
    return {name: half_side(mass, middle(specs[name], mass.shape)) for name, mass in found if mass.any()}


def masses(network: Network, layers: Sequence[LayerSpec]) -> dict[str, np.ndarray]:
    """Layer -> mass (H, W) of the input's pixels for its middle cell; one gradient for each layer and picture."""
    height, width = network.data.input_size[1:]
    total = {layer.name: np.zeros((height, width)) for layer in layers}
    for picture in range(PICTURES):
        generator = torch.Generator().manual_seed(provenance.unit_seed(0, "effective field", picture))
        inputs = torch.randn(1, *network.data.input_size, generator=generator).to(network.device).requires_grad_()

        def of_cell(shown: Tensor, name: str, generator: torch.Generator = generator) -> Tensor:
            cell = shown[0, :, shown.shape[2] // 2, shown.shape[3] // 2].float()
            signs = torch.randint(0, 2, cell.shape, generator=generator) * 2 - 1
            return (cell * signs.to(cell.device)).sum()

        with torch.enable_grad(), record(network.module, layers, stop=True, keep=of_cell) as recording:
            sums = dict(recording.run(network.module, inputs))
        for name, value in sums.items():
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value, inputs, retain_graph=True)
                total[name] += gradient[0].abs().sum(0).cpu().double().numpy()
    return total


def middle(layer: LayerSpec, input_hw: tuple[int, int]) -> tuple[float, float]:
    """Row and column, in px of the input, of the middle of a layer's middle cell."""
    sides = zip((layer.height, layer.width), input_hw, strict=True)
    y, x = ((cells // 2 + 0.5) * side / cells for cells, side in sides)
    return y, x


def half_side(mass: np.ndarray, centre: tuple[float, float]) -> float:
    """Half the side in px of the smallest square around `centre` (y, x) whose pixels have 95 % of the mass (H, W)."""
    far_y, far_x = (np.abs(np.arange(side) + 0.5 - at) + 0.5 for side, at in zip(mass.shape, centre, strict=True))
    far = np.maximum(far_y[:, None], far_x[None]).ravel()  # of the pixel's outer edge
    order = np.argsort(far, kind="stable")
    held = mass.ravel()[order].cumsum()
    return float(far[order][np.searchsorted(held, SHARE * held[-1])])


def is_grid(layer, input_hw: tuple[int, int]) -> bool:
    """Whether a layer (height, width) has several cells, as wide as they are tall on the input."""
    rows, columns = (round(side / cells) for side, cells in zip(input_hw, (layer.height, layer.width), strict=True))
    return layer.height * layer.width > 1 and rows == columns
