"""Receptive-field arithmetic: what each operation makes of the fields of its inputs.

Along one axis, cell i of a map sees the input pixels

    start + i * jump  ...  start + i * jump + size - 1          (clipped to the picture)

A convolution or pooling with kernel k, stride s, padding p, dilation d turns (jump, start, size) into
(jump * s, start - p * jump, size + (k - 1) * d * jump)  [Araujo et al., Distill 2019].
A rule takes the fields of an operation's inputs, its arguments and the shape of its output, and gives the output's
field, or None where it cannot say.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch

aten = torch.ops.aten
Y, X, OTHER = "y", "x", ""
BCHW_AXES = (2, 3)


@dataclass(frozen=True)
class Span:
    """The field along one axis, in input pixels."""

    jump: float = 1
    start: float = 0
    size: float = 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> "Span":
        """The field after a sliding window."""
        reach = (kernel - 1) * dilation * self.jump
        return Span(self.jump * stride, self.start - padding * self.jump, self.size + reach)

    def union(self, other: "Span") -> "Span | None":
        """The smallest field that holds both, None where their cells do not lie on each other."""
        if self.jump != other.jump:
            return None
        start = min(self.start, other.start)
        return Span(self.jump, start, max(self.start + self.size, other.start + other.size) - start)


@dataclass(frozen=True)
class Field:
    """The field of every cell of a tensor. `dims` says for each axis which parts it was made of: (label, length)."""

    dims: tuple[tuple[tuple[str, int], ...], ...]
    y: Span = Span()
    x: Span = Span()
    exact: bool = True

    def axes(self) -> tuple[int, int] | None:
        """Positions of the rows and the columns, None where they are merged with other axes."""
        labels = [dim[0][0] if len(dim) == 1 else OTHER for dim in self.dims]
        return (labels.index(Y), labels.index(X)) if Y in labels and X in labels else None

    def is_spatial(self, axis: int) -> bool:
        return any(label != OTHER for label, _ in self.dims[axis])


WHOLE = Field(dims=(), exact=False)


def _merge(fields: Sequence[Field], dims: tuple | None) -> Field | None:
    if dims is None:
        return None
    merged = replace(fields[0], dims=dims)
    for field in fields[1:]:
        y, x = merged.y.union(field.y), merged.x.union(field.x)
        if y is None or x is None:
            return None
        merged = Field(dims, y, x, merged.exact and field.exact)
    return merged


def _relabel(field: Field, shape: Sequence[int]) -> tuple | None:
    """The field's axes with the lengths of `shape`, None where a merged axis changes its length."""
    dims = []
    for dim, length in zip(field.dims, shape, strict=True):
        if math.prod(n for _, n in dim) != length and len(dim) > 1:
            return None
        dims.append(((dim[0][0], length),) if len(dim) == 1 else dim)
    return tuple(dims)


def pointwise(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    """Same cell in, same cell out; operands with fields must lie on each other, not be stretched."""
    labels = {tuple(tuple(label for label, _ in dim) for dim in field.dims) for field in fields}
    if len(labels) != 1 or len(fields[0].dims) != len(shape):
        return None
    stretched = any(f.is_spatial(d) and _length(f.dims[d]) != n for f in fields for d, n in enumerate(shape))
    return None if stretched else _merge(fields, _relabel(fields[0], shape))


def _length(dim: Iterable[tuple[str, int]]) -> int:
    return math.prod(n for _, n in dim)


def _same(fields: Sequence[Field], args: tuple, shape: tuple) -> Field:
    return fields[0]


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _slide(field: Field, shape: tuple, kernel, stride, padding, dilation=1) -> Field | None:
    if field.axes() != BCHW_AXES or len(shape) != len(field.dims):
        return None
    (ky, kx), (sy, sx), (py, px), (dy, dx) = map(_pair, (kernel, stride, padding, dilation))
    dims = tuple(((label, n),) for label, n in zip((OTHER, OTHER, Y, X), shape, strict=True))
    return Field(dims, field.y.window(ky, sy, py, dy), field.x.window(kx, sx, px, dx), field.exact)


def _convolution(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed or len(fields) > 1:
        return None
    return _slide(fields[0], shape, tuple(weight.shape[2:]), stride, padding, dilation)


def _max_pool(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    kernel, stride, padding, dilation = (*args[1:5], None, None, None)[:4]
    return _slide(fields[0], shape, kernel, stride or kernel, padding or 0, dilation or 1)


def _average_pool(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    kernel, stride, padding = (*args[1:4], None, None)[:3]
    return _slide(fields[0], shape, kernel, stride or kernel, padding or 0)


def _adaptive_pool(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    sides = [(_length(dim), n) for dim, n in zip(fields[0].dims[-2:], shape[-2:], strict=True)]
    if any(before % after or after == 1 for before, after in sides):
        return None
    kernel = tuple(before // after for before, after in sides)
    return _slide(fields[0], shape, kernel, kernel, 0)


def _pad(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    field, axes = fields[0], fields[0].axes()
    if axes is None:
        return None
    before = {len(shape) - 1 - i // 2: args[1][i] for i in range(0, len(args[1]), 2)}
    y, x = (span.window(1, 1, before.get(d, 0)) for span, d in zip((field.y, field.x), axes, strict=True))
    return Field(_relabel(field, shape), y, x, field.exact)


def _concatenate(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    axis = (args[1] if len(args) > 1 else 0) % len(shape)
    if len(fields) < len(args[0]) or any(field.is_spatial(axis) for field in fields):
        return None
    aligned = len({(f.axes(), *map(_length, (*f.dims[:axis], *f.dims[axis + 1 :]))) for f in fields}) == 1
    return _merge(fields, _relabel(fields[0], shape)) if aligned else None


def _linear(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    field = fields[0]
    ok = len(fields) == 1 and not field.is_spatial(-1)
    return replace(field, dims=(*field.dims[:-1], ((OTHER, shape[-1]),))) if ok else None


def _normalise_last(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    axes = range(-len(args[1]), 0)
    return None if any(fields[0].is_spatial(axis) for axis in axes) else fields[0]


def _softmax(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    return None if fields[0].is_spatial(args[1]) else fields[0]


def _reduce(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    field = fields[0]
    axes = [args[1]] if isinstance(args[1], int) else list(args[1] or [])
    axes = {axis % len(field.dims) for axis in axes}
    if not axes or any(field.is_spatial(axis) for axis in axes):
        return None
    kept = [((OTHER, 1),) if d in axes else dim for d, dim in enumerate(field.dims)]
    keeps_axes = len(shape) == len(field.dims)
    return replace(field, dims=tuple(dim for d, dim in enumerate(kept) if keeps_axes or d not in axes))


def _permute(fields: Sequence[Field], args: tuple, shape: tuple) -> Field:
    return replace(fields[0], dims=tuple(fields[0].dims[axis] for axis in args[1]))


def _transpose(fields: Sequence[Field], args: tuple, shape: tuple) -> Field:
    dims = list(fields[0].dims)
    dims[args[1]], dims[args[2]] = dims[args[2]], dims[args[1]]
    return replace(fields[0], dims=tuple(dims))


def _slice(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    axis, begin, _, step = (*args[1:5], *(0, None, None, 1)[len(args) - 1 :])
    field, axis, begin = fields[0], axis % len(shape), begin or 0
    if len(field.dims[axis]) > 1:
        return None
    if field.is_spatial(axis):
        length = _length(field.dims[axis])
        begin = max(length + begin, 0) if begin < 0 else begin
        name = field.dims[axis][0][0]
        field = replace(field, **{name: getattr(field, name).window(1, step, -begin)})
    return replace(field, dims=_relabel(field, shape))


def _split(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    axis = args[2] if len(args) > 2 else 0
    return None if fields[0].is_spatial(axis) else replace(fields[0], dims=_relabel(fields[0], shape))


def _reshape(fields: Sequence[Field], args: tuple, shape: tuple) -> Field | None:
    """Axes merged and merged ones taken apart again; rows or columns cut into pieces (windows) are not followed."""
    parts = [part for dim in fields[0].dims for part in dim if part[1] != 1]
    dims = []
    for length in shape:
        dim: list[tuple[str, int]] = []
        while _length(dim) < length:
            label, n = parts.pop(0)
            need = length // _length(dim)
            if n > need:
                if label != OTHER or n % need:
                    return None
                parts.insert(0, (OTHER, n // need))
                n = need
            dim.append((label, n))
        dims.append(tuple(dim) or ((OTHER, 1),))
    field = replace(fields[0], dims=tuple(dims))
    return field if {Y, X} <= {label for dim in dims for label, _ in dim} else None


# Pointwise by their definition, though torch (2.9) does not tag them so.
UNTAGGED = (aten.hardswish, aten.hardswish_, aten.mish_, aten.prelu, aten.log_sigmoid)
RULES: dict[object, Callable] = {
    **dict.fromkeys(UNTAGGED, pointwise),
    aten.convolution: _convolution,
    aten.avg_pool2d: _average_pool,
    **dict.fromkeys((aten.max_pool2d, aten.max_pool2d_with_indices), _max_pool),
    **dict.fromkeys((aten.adaptive_avg_pool2d, aten.adaptive_max_pool2d), _adaptive_pool),
    **dict.fromkeys((aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d), _pad),
    aten.cat: _concatenate,
    aten.linear: _linear,
    aten.layer_norm: _normalise_last,
    aten.softmax: _softmax,
    aten.permute: _permute,
    aten.transpose: _transpose,
    aten.slice: _slice,
    **dict.fromkeys((aten.mean, aten.sum, aten.amax, aten.var, aten.var_mean), _reduce),
    **dict.fromkeys((aten.split, aten.split_with_sizes, aten.chunk), _split),
    **dict.fromkeys((aten.view, aten.reshape, aten._unsafe_view, aten.flatten, aten.unsqueeze, aten.squeeze), _reshape),
    **dict.fromkeys((aten.clone, aten.contiguous, aten._to_copy, aten.detach, aten.alias), _same),
    **dict.fromkeys((aten.batch_norm, aten.dropout), _same),
}
