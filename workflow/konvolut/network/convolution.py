"""Convolutions whose weights stay as they are: one pass over memory forward, one back, as fast as oneDNN can.

Measured on one core of a Zen 5 (batch 8, 236 px); `torch` is nn.Conv2d, and nn.ReLU6 where there is one.

    what                                              torch, float32 / bfloat16     here
    back through 3x3 of 96 channels, each its own,
      every second pixel (118 px)                     0.41 / 6.08 ms per picture    0.41 / 0.38 ms
    back through ResNet's first, 7x7 to three colours 7.1 / 4.0 ms                  see gradients.COLOURS_AT_MOST
    ReLU6 after a convolution                         two passes, one of them kept  in the convolution's own pass
    padding for TensorFlow (more at the end)          a larger copy of the input    two rows less of the output

and of a core with AMX (batch 8, 59 px, 64 to 256 channels, bfloat16):

    1x1, a shortcut added, ReLU                       1.57 ms per picture           0.45 ms
    gradients of 1x1 and of the shortcut added        0.34 ms                       0.13 ms

Nothing but the activated output is kept for the gradient, and that only where there is an activation. Weights are kept
as oneDNN lays them out, forward and back: to lay them out in every call took 8 % of ResNet-50's time in bfloat16.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from konvolut.network import gradients, onednn


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
        self.kernels = onednn.Kernels()

    def forward(self, x: Tensor, other: Tensor | None = None, fork: str = "") -> Tensor | tuple[Tensor, Tensor]:
        """(B, C, H, W) -> activation(convolution + `other`).

        With `fork` also the input itself, for others to read: the gradient that they find for it is added in the
        convolution's own pass back ("added"), and is overwritten where nobody else has it ("overwritten").
        """
        if x.device.type == "cpu":
            return _Frozen.apply(x, other, self, fork)
        y = self._convolved(x, self.pads(x.shape))  # shapes without numbers
        y = y if other is None else y + other
        y = y if self.activation is None else self.activation(y)
        return (y, x) if fork else y

    def activated(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """Convolution, sum and activation in one pass, without gradient."""
        padding, surplus = zip(
            *(symmetric(*pad, step) for pad, step in zip(self.pads(x.shape), self.stride, strict=True)), strict=True
        )
        how = (padding, self.stride, self.dilation, self.groups)
        kernel = self.kernels.laid_out("forward", lambda: self.weight, x, how)
        if other is None:
            return _without_first(onednn.convolved(x, kernel, self.bias, how, self.activation), surplus)
        if not any(surplus):
            return onednn.added(x, other, kernel, self.bias, how, self.activation)
        y = _without_first(onednn.convolved(x, kernel, self.bias, how), surplus) + other
        return y if self.activation is None else self.activation(y)

    def through(self, gradient: Tensor, y: Tensor | None) -> Tensor:
        """The gradient before the activation, from that after it and the output `y`, None where there is none."""
        if y is None:
            return gradient
        passed = _through(self.activation, gradient, y)
        return passed.add_(gradient, alpha=self.leak) if self.leak else passed

    def pads(self, size: torch.Size) -> tuple[tuple[int, int], tuple[int, int]]:
        """Padding before and after the rows and the columns."""
        if self.padding is not None:
            return tuple((side, side) for side in self.padding)
        return tuple(map(_tensorflows, size[2:], self.kernel_size, self.stride, self.dilation))

    def _convolved(self, x: Tensor, pads) -> Tensor:
        (top, bottom), (left, right) = pads
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class _Frozen(torch.autograd.Function):
    """Convolution.activated and its gradients: of the input, and of what is added."""

    @staticmethod
    def forward(ctx, x: Tensor, other: Tensor | None, part: Convolution, fork: str):
        ctx.part, ctx.size, ctx.fork = part, x.shape, fork
        ctx.set_materialize_grads(False)
        y = part.activated(x, other)
        ctx.save_for_backward(*(() if part.activation is None else (y,)))
        return (y, x.view_as(x)) if fork else y

    @staticmethod
    def backward(ctx, gradient: Tensor | None, more: Tensor | None = None):
        if gradient is None:
            return more, None, None, None
        y = ctx.saved_tensors[0] if ctx.saved_tensors else None
        before = ctx.part.through(gradient, y)
        overwrite = more is not None and ctx.fork == "overwritten"
        found = gradients.of_input(ctx.part, before, ctx.size, more, overwrite) if ctx.needs_input_grad[0] else None
        return found, before if ctx.needs_input_grad[1] else None, None, None


def pads_like_tensorflow(conv: nn.Conv2d) -> bool:
    """Whether a module is timm's Conv2dSame, whose padding depends on the size of its input."""
    return type(conv).__name__ == "Conv2dSame"


def can_freeze(conv: nn.Module) -> bool:
    """Whether `Convolution` does what a module does: those of other kinds change their weights in each pass."""
    known = type(conv) is nn.Conv2d or (isinstance(conv, nn.Conv2d) and pads_like_tensorflow(conv))
    zeros = known and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return zeros and onednn.is_available()


def symmetric(before: int, after: int, step: int) -> tuple[int, int]:
    """A padding of both sides, and how many of the first outputs it adds: (0, 1) at step 2 is 2 less the first."""
    surplus = -(-max(after - before, 0) // step)
    return before + surplus * step, surplus


def _tensorflows(side: int, kernel: int, step: int, dilation: int) -> tuple[int, int]:
    total = max((-(-side // step) - 1) * step + (kernel - 1) * dilation + 1 - side, 0)
    return total // 2, total - total // 2


def _through(activation: nn.Module, gradient: Tensor, y: Tensor) -> Tensor:
    if isinstance(activation, nn.ReLU6):
        return torch.ops.aten.hardtanh_backward(gradient, y, *onednn.RELU6_BOUNDS)
    return torch.ops.aten.threshold_backward(gradient, y, 0)


def _without_first(y: Tensor, surplus: tuple[int, int]) -> Tensor:
    """Without the first rows and columns that a symmetric padding has added."""
    if not any(surplus):
        return y
    return onednn.in_order(y[:, :, surplus[0] :, surplus[1] :])
