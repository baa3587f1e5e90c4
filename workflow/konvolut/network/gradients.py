"""Gradients of the inputs of frozen convolutions (convolution.py) by whatever is fastest on a CPU.

A gradient of a convolution is a convolution with the turned kernel, whose outputs are its inputs: oneDNN adds another
gradient in the same pass, and finds its weights laid out.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut.network.onednn import added, added_in_place, convolved, in_order

# Inputs of so few channels get their gradient by pieces (see _by_pieces): oneDNN is slow where it has few outputs.
COLOURS_AT_MOST = 4
# 1x1 convolutions are declared dilated, which changes nothing in what they compute, but torch then gives them to oneDNN
# whatever the batch: its own fallback (batch below 16) takes 1.5 times as long and rounds differently.
DILATED = [2, 2]

ONE = (1, 1)


def of_input(part, gradient: Tensor, size: torch.Size, more: Tensor | None = None, overwrite: bool = False) -> Tensor:
    """The gradient of the input (B, C, H, W) = size of a Convolution from that of its output, plus `more`, which may be
    overwritten where the caller says so."""
    overwrite = overwrite and more.is_contiguous(memory_format=torch.channels_last)
    pads = part.pads(size)
    symmetric = all(before == after for before, after in pads)
    if (
        part.groups == 1
        and symmetric
        and (part.stride == ONE or (part.kernel_size == ONE and not any(pads[0] + pads[1])))
    ):
        return _turned(part, gradient, pads, size, more, overwrite)
    found = _alone(part, gradient, pads, size)
    return found if more is None else found + more


def _is_turned_in_one(part, pads) -> bool:
    if part.kernel_size == ONE:
        return not any(pads[0] + pads[1])
    reach = (apart * (side - 1) for apart, side in zip(part.dilation, part.kernel_size, strict=True))
    return part.stride == ONE and all(first == last <= far for (first, last), far in zip(pads, reach, strict=True))


def _turned(part, gradient: Tensor, pads, size: torch.Size, more: Tensor | None, overwrite: bool) -> Tensor:
    """By the convolution with the turned kernel; of a 1x1 with a stride, to the pixels that it has read."""
    steps = zip(part.dilation, part.kernel_size, pads, strict=True)
    padding = tuple(apart * (side - 1) - pad[0] for apart, side, pad in steps)
    how = (padding, ONE, part.dilation, 1)
    kernel = part.kernels.laid_out("turned", lambda: part.weight.transpose(0, 1).flip(2, 3), gradient, how)
    if part.stride == ONE and more is None:
        return convolved(gradient, kernel, None, how)
    if part.stride == ONE and not overwrite:
        return added(gradient, more, kernel, None, how)
    if part.stride == ONE:
        return added_in_place(more, gradient, kernel, how)
    found = _zeros(size, gradient.dtype) if more is None else more if overwrite else in_order(more.clone())
    read = found[:, :, :: part.stride[0], :: part.stride[1]]
    read += convolved(gradient, kernel, None, how)
    return found


def _alone(part, gradient: Tensor, pads, size: torch.Size) -> Tensor:
    inside = all(max(pad) <= side // 2 for pad, side in zip(pads, part.kernel_size, strict=True))
    odd = all(side % 2 for side in part.kernel_size) and set(part.dilation) == {1} and inside
    if odd and part.groups == size[1] == gradient.shape[1] and part.kernel_size != ONE:
        return _each_its_own(part, gradient, pads, size)
    if odd and size[1] <= COLOURS_AT_MOST and part.groups == 1 and part.stride[0] == part.stride[1] > 1:
        return _by_pieces(part, gradient, pads, size)
    return _by_torch(part, gradient, pads, size)


def _each_its_own(part, gradient: Tensor, pads, size: torch.Size) -> Tensor:
    """Channel by channel: the convolution with the turned kernel of the gradient, its values set apart by zeros."""
    centre = tuple(side // 2 for side in part.kernel_size)
    if part.stride == ONE and all(first == last == c for (first, last), c in zip(pads, centre, strict=True)):
        apart = gradient
    else:
        apart = _zeros(size, gradient.dtype)
        rows, columns = (
            slice(c - pad[0], c - pad[0] + step * (count - 1) + 1, step)
            for c, pad, step, count in zip(centre, pads, part.stride, gradient.shape[2:], strict=True)
        )
        apart[:, :, rows, columns] = gradient
    how = (centre, ONE, ONE, part.groups)
    kernel = part.kernels.laid_out("each turned", lambda: part.weight.flip(2, 3), apart, how)
    return convolved(apart, kernel, None, how)


def _by_pieces(part, gradient: Tensor, pads, size: torch.Size) -> Tensor:
    """Pixels of the same place in their square of `stride` are channels of one small convolution, then shuffled."""
    step = part.stride[0]
    spans = [_span(side, pad[0], step) for side, pad in zip(part.kernel_size, pads, strict=True)]
    (top, bottom, last_row), (left, right, last_column) = spans

    def parted() -> Tensor:
        padded = F.pad(part.weight, (left, right, top, bottom))
        squares = padded.unflatten(3, (-1, step)).unflatten(2, (-1, step)).flip(2, 4)
        return squares.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)

    taps = [(before + side + after) // step for side, (before, after, _) in zip(part.kernel_size, spans, strict=True)]
    cells = [-(-side // step) for side in size[2:]]
    before = (last_row, last_column)
    padding = tuple(
        max(first, count + reach - 1 - first - have)
        for first, count, reach, have in zip(before, cells, taps, gradient.shape[2:], strict=True)
    )
    how = (padding, ONE, ONE, 1)
    pieces = convolved(gradient, part.kernels.laid_out(f"parted {spans}", parted, gradient, how), None, how)
    rows, columns = (slice(p - f, p - f + n) for p, f, n in zip(padding, before, cells, strict=True))
    return F.pixel_shuffle(pieces[:, :, rows, columns], step)[:, :, : size[2], : size[3]]


def _by_torch(part, gradient: Tensor, pads, size: torch.Size) -> Tensor:
    (top, bottom), (left, right) = pads
    padded = (*size[:2], size[2] + top + bottom, size[3] + left + right) if part.padding is None else size
    x = torch.empty(padded, dtype=gradient.dtype, memory_format=torch.channels_last)  # its numbers do not matter
    dilation = DILATED if part.kernel_size == ONE else part.dilation
    found, _, _ = torch.ops.aten.convolution_backward(
        *(gradient, x, part.weight, None, part.stride, part.padding or (0, 0), dilation, False, (0, 0)),
        *(part.groups, (True, False, False)),
    )
    return found[:, :, top : top + size[2], left : left + size[3]] if padded != size else found


def _zeros(size: torch.Size, dtype: torch.dtype) -> Tensor:
    return torch.empty(size, dtype=dtype, memory_format=torch.channels_last).zero_()


def _span(kernel: int, pad: int, step: int) -> tuple[int, int, int]:
    """Zeros before and after a kernel so that it falls into whole steps, and its last step (see _by_pieces)."""
    first, last = -((step - 1 + pad) // step), (kernel - 1 - pad) // step
    before = -step * first - pad
    return before, step * (last - first + 1) - kernel - before, last
