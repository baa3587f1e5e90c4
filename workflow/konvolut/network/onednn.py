"""oneDNN's convolutions as torch hands them through: what follows in the same pass, and weights laid out once.

Inputs and outputs (B, C, H, W) have their channels last in memory. `Geometry` is padding, stride, dilation, groups.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Geometry = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]

# Activations that oneDNN does in the same pass and that can be undone from their output alone, with their bounds.
RELU6_BOUNDS = (0.0, 6.0)
FUSED = {nn.ReLU: ("relu", []), nn.ReLU6: ("hardtanh", list(RELU6_BOUNDS))}
# The one that it also does after a sum.
FUSED_AFTER_SUM = nn.ReLU


class Kernels(dict[str, tuple[torch.Size, torch.dtype, Tensor]]):
    """Weights laid out for a purpose; a copy of a module makes its own."""

    def __deepcopy__(self, memo: dict) -> "Kernels":
        return Kernels()

    def laid_out(self, purpose: str, weight: Callable[[], Tensor], x: Tensor, how: Geometry) -> Tensor:
        """The weight (out, in / groups, h, w) as it is wanted for inputs like `x`, made once.

        Anew for inputs of another shape: what is laid out for another one may be turned over in every call.
        """
        shape, dtype, kernel = self.get(purpose, (None, None, None))
        if shape != x.shape or dtype != x.dtype:
            plain = weight().detach().contiguous(memory_format=torch.channels_last)
            kernel = torch.ops.mkldnn._reorder_convolution_weight(plain, *how, list(x.shape))
            self[purpose] = x.shape, x.dtype, kernel
        return kernel


def is_available() -> bool:
    """Whether this torch has the functions that are used here."""
    known = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    return known and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")


def computes_in_bfloat16() -> bool:
    """Whether this CPU has the instructions."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def convolved(
    x: Tensor, kernel: Tensor, bias: Tensor | None, how: Geometry, activation: nn.Module | None = None
) -> Tensor:
    """activation(convolution + bias), one pass over memory."""
    name, bounds = FUSED.get(type(activation), ("none", []))
    return torch.ops.mkldnn._convolution_pointwise(in_order(x), kernel, bias, *how, name, bounds, "")


def added(
    x: Tensor, other: Tensor, kernel: Tensor, bias: Tensor | None, how: Geometry, activation: nn.Module | None = None
) -> Tensor:
    """activation(convolution + bias + other), one pass over memory; `other` has the convolution's shape."""
    name = FUSED[type(activation)][0] if activation is not None else None
    both = (in_order(x), in_order(other))
    return torch.ops.mkldnn._convolution_pointwise(*both, kernel, bias, *how, "add", None, name, [], None)


def added_in_place(other: Tensor, x: Tensor, kernel: Tensor, how: Geometry) -> Tensor:
    """other += convolution, for an `other` that has its channels last; two thirds of the time of `added`."""
    return torch.ops.mkldnn._convolution_pointwise_(other, in_order(x), kernel, None, *how, "add", None, None, [], None)


def in_order(x: Tensor) -> Tensor:
    """The same numbers with the channels last in memory."""
    return x.contiguous(memory_format=torch.channels_last)
