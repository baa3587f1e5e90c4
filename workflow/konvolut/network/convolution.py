"""Convolutions whose weights stay as they are: one pass over memory forward, one back, as fast as oneDNN can.

Measured on one core of a Zen 5 (batch 8, 236 px); `torch` is nn.Conv2d, and nn.ReLU6 where there is one.

    what                                              torch, float32 / bfloat16     here
    back through 3x3 of 96 channels, each its own,
      every second pixel (118 px)                     0.41 / 6.08 ms per picture    0.41 / 0.38 ms
    back through ResNet's first, 7x7 to three colours 7.1 / 4.0 ms                  see COLOURS_AT_MOST
    ReLU6 after a convolution                         two passes, one of them kept  in the convolution's own pass
    padding for TensorFlow (more at the end)          a larger copy of the input    two rows less of the output

Nothing but the activated output is kept for the gradient, and that only where there is an activation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Inputs of so few channels get their gradient by pieces (see _by_pieces): oneDNN is slow where it has few outputs.
COLOURS_AT_MOST = 4
# Bounds of the activations that oneDNN does in the same pass and that can be undone from their output alone.
RELU6_BOUNDS = (0.0, 6.0)
# 1x1 convolutions are declared dilated, which changes nothing in what they compute, but torch then gives them to oneDNN
# whatever the batch: its own fallback (batch below 16) takes 1.5 times as long and rounds differently.
DILATED = [2, 2]


class Convolution(nn.Module):
    """An nn.Conv2d or timm's Conv2dSame with frozen weights, and the ReLU or ReLU6 after it, on CPUs.

    `leak` is added to the activation's slope everywhere (leaks.py).
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.ReLU | nn.ReLU6 | None = None) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.stride, self.dilation, self.groups = conv.stride, conv.dilation, conv.groups
        self.kernel_size = conv.kernel_size
        self.padding = None if pads_like_tensorflow(conv) else conv.padding
        self.activation, self.leak = activation, 0.0

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            return _Frozen.apply(x, self)
        y = self._convolved(x, self._pads(x.shape))  # shapes without numbers
        return y if self.activation is None else self.activation(y)

    def activated(self, x: Tensor) -> Tensor:
        """Convolution and activation in one pass, without gradient."""
        pads = self._pads(x.shape)
        how = {nn.ReLU: ("relu", []), nn.ReLU6: ("hardtanh", list(RELU6_BOUNDS))}
        name, bounds = how.get(type(self.activation), ("none", []))
        padding, surplus = zip(
            *(symmetric(*pad, step) for pad, step in zip(pads, self.stride, strict=True)), strict=True
        )
        y = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, padding, self.stride, self.dilation, self.groups, name, bounds, ""
        )
        if any(surplus):
            y = y[:, :, surplus[0] :, surplus[1] :].contiguous(memory_format=torch.channels_last)
        return y

    def gradient(self, gradient: Tensor, y: Tensor | None, size: torch.Size) -> Tensor:
        """Of the input (B, C, H, W) = size, from that of the output and, where it was activated, the output `y`."""
        if y is not None:
            passed = _through(self.activation, gradient, y)
            gradient = passed.add_(gradient, alpha=self.leak) if self.leak else passed
        pads = self._pads(size)
        inside = all(max(pad) <= side // 2 for pad, side in zip(pads, self.kernel_size, strict=True))
        odd = all(side % 2 for side in self.kernel_size) and set(self.dilation) == {1} and inside
        if odd and self.groups == size[1] == gradient.shape[1] and self.kernel_size != (1, 1):
            return self._each_its_own(gradient, pads, size)
        if odd and size[1] <= COLOURS_AT_MOST and self.groups == 1 and self.stride[0] == self.stride[1] > 1:
            return self._by_pieces(gradient, pads, size)
        return self._by_torch(gradient, pads, size)

    def _pads(self, size: torch.Size) -> tuple[tuple[int, int], tuple[int, int]]:
        """Padding before and after the rows and the columns."""
        if self.padding is not None:
            return tuple((side, side) for side in self.padding)
        return tuple(map(_tensorflows, size[2:], self.kernel_size, self.stride, self.dilation))

    def _convolved(self, x: Tensor, pads) -> Tensor:
        (top, bottom), (left, right) = pads
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def _each_its_own(self, gradient: Tensor, pads, size: torch.Size) -> Tensor:
        """Channel by channel: the convolution with the turned kernel of the gradient, its values set apart by zeros."""
        centre = [side // 2 for side in self.kernel_size]
        if self.stride == (1, 1) and all(first == last == c for (first, last), c in zip(pads, centre, strict=True)):
            apart = gradient
        else:
            apart = torch.empty(size, dtype=gradient.dtype, memory_format=torch.channels_last).zero_()
            rows, columns = (
                slice(c - pad[0], c - pad[0] + step * (count - 1) + 1, step)
                for c, pad, step, count in zip(centre, pads, self.stride, gradient.shape[2:], strict=True)
            )
            apart[:, :, rows, columns] = gradient
        return F.conv2d(apart, self.weight.flip(2, 3), None, 1, centre, 1, self.groups)

    def _by_pieces(self, gradient: Tensor, pads, size: torch.Size) -> Tensor:
        """Pixels of the same place in their square of `stride` are channels of one small convolution, then shuffled."""
        step, weight = self.stride[0], self.weight
        spans = [_span(side, pad[0], step) for side, pad in zip(self.kernel_size, pads, strict=True)]
        (top, bottom, last_row), (left, right, last_column) = spans
        parted = F.pad(weight, (left, right, top, bottom)).unflatten(3, (-1, step)).unflatten(2, (-1, step)).flip(2, 4)
        kernel = parted.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        cells = [-(-side // step) for side in size[2:]]
        before = (last_row, last_column)
        padding = [
            max(first, count + taps - 1 - first - have)
            for first, count, taps, have in zip(before, cells, kernel.shape[2:], gradient.shape[2:], strict=True)
        ]
        pieces = F.conv2d(gradient, kernel.contiguous(memory_format=torch.channels_last), None, 1, padding)
        rows, columns = (slice(p - f, p - f + n) for p, f, n in zip(padding, before, cells, strict=True))
        return F.pixel_shuffle(pieces[:, :, rows, columns], step)[:, :, : size[2], : size[3]]

    def _by_torch(self, gradient: Tensor, pads, size: torch.Size) -> Tensor:
        (top, bottom), (left, right) = pads
        padded = (*size[:2], size[2] + top + bottom, size[3] + left + right) if self.padding is None else size
        x = torch.empty(padded, dtype=gradient.dtype, memory_format=torch.channels_last)  # its numbers do not matter
        dilation = DILATED if self.kernel_size == (1, 1) else self.dilation
        found, _, _ = torch.ops.aten.convolution_backward(
            *(gradient, x, self.weight, None, self.stride, self.padding or (0, 0), dilation, False, (0, 0)),
            *(self.groups, (True, False, False)),
        )
        return found[:, :, top : top + size[2], left : left + size[3]] if padded != size else found


class _Frozen(torch.autograd.Function):
    """Convolution.activated with Convolution.gradient."""

    @staticmethod
    def forward(ctx, x: Tensor, part: Convolution) -> Tensor:
        ctx.part, ctx.size = part, x.shape
        y = part.activated(x)
        ctx.save_for_backward(*(() if part.activation is None else (y,)))
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        y = ctx.saved_tensors[0] if ctx.saved_tensors else None
        return ctx.part.gradient(gradient, y, ctx.size), None


def pads_like_tensorflow(conv: nn.Conv2d) -> bool:
    """Whether a module is timm's Conv2dSame, whose padding depends on the size of its input."""
    return type(conv).__name__ == "Conv2dSame"


def can_freeze(conv: nn.Module) -> bool:
    """Whether `Convolution` does what a module does: those of other kinds change their weights in each pass."""
    known = type(conv) is nn.Conv2d or (isinstance(conv, nn.Conv2d) and pads_like_tensorflow(conv))
    zeros = known and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return zeros and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def symmetric(before: int, after: int, step: int) -> tuple[int, int]:
    """A padding of both sides, and how many of the first outputs it adds: (0, 1) at step 2 is 2 less the first."""
    surplus = -(-max(after - before, 0) // step)
    return before + surplus * step, surplus


def _tensorflows(side: int, kernel: int, step: int, dilation: int) -> tuple[int, int]:
    total = max((-(-side // step) - 1) * step + (kernel - 1) * dilation + 1 - side, 0)
    return total // 2, total - total // 2


def _span(kernel: int, pad: int, step: int) -> tuple[int, int, int]:
    """Zeros before and after a kernel so that it falls into whole steps, and its last step (see _by_pieces)."""
    first, last = -((step - 1 + pad) // step), (kernel - 1 - pad) // step
    before = -step * first - pad
    return before, step * (last - first + 1) - kernel - before, last


def _through(activation: nn.Module, gradient: Tensor, y: Tensor) -> Tensor:
    if isinstance(activation, nn.ReLU6):
        return torch.ops.aten.hardtanh_backward(gradient, y, *RELU6_BOUNDS)
    return torch.ops.aten.threshold_backward(gradient, y, 0)
