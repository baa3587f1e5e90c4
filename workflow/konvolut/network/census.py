"""The layer census: one row per module of a network, what it puts out and whether its channels are units.

One forward pass on the meta device (shapes without numbers) tells shapes, FLOPs and receptive fields, so that a census
costs neither memory nor the time of a real pass. Modules that need numbers to run get a real pass.

FLOPs count multiplications and additions separately, for one picture, from the input up to and including the layer.
receptive_field_exact: the field of cell i is `start + i * stride ... + px - 1` on the model's input; else it is the
whole input (squeeze-excite gates and attention look everywhere). Where rows and columns differ (1 x 7 convolutions) the
field is the larger of both.

same_as: the layer that stands for all that put out this very tensor (a stage and its last block, an identity and what
it passes on): the last one that has weights. It is "" for that one, and `layers: all` takes it alone.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from konvolut.errors import UserError, first_line
from konvolut.network.fields import Field
from konvolut.network.layouts import Layouts
from konvolut.network.receptive import FieldTracker
from konvolut.network.shapes import without_numbers
from konvolut.network.stages import mark_stages

BATCH = 2  # not 1, so that an output whose first axis is not the batch (windows, heads) shows
COLUMNS = (
    *("index", "layer", "kind", "stage", "layout", "channels", "height", "width", "stride"),
    *("receptive_field_px", "receptive_field_start_px", "receptive_field_exact", "activation"),
    *("parameters", "flops", "calls", "inplace", "same_as", "auto", "refused"),
)


def census(network) -> pd.DataFrame:
    """One row per named module in the order of the forward pass; `refused` says why a layer has no units, or ""."""
    try:
        outputs = _pass(network, without_numbers(network.module), "meta")
    except AssertionError as error:  # of timm, over the size of the input
        raise UserError(f"model {network.source.id!r} does not take its own input size: {first_line(error)}") from error
    except (NotImplementedError, RuntimeError, TypeError, ValueError):  # the model asks a tensor for its numbers
        outputs = _pass(network, network.module, network.device)
    table = pd.DataFrame([*outputs.rows(), *_never_called(network.module, outputs.calls)])
    table.insert(0, "index", range(len(table)))
    return mark_stages(table, network.module)[list(COLUMNS)]


def write_census(table: pd.DataFrame, path: Path) -> None:
    """The census as a CSV file that people read too."""
    table.to_csv(path, index=False, lineterminator="\n")


class _Outputs:
    """What the hooks of one pass see."""

    def __init__(self, network, tracker: FieldTracker, flops: FlopCounterMode) -> None:
        self.network, self.tracker, self.flops = network, tracker, flops
        self.calls: Counter[str] = Counter()
        self.seen: list[tuple[dict, int, Tensor | None]] = []
        self.layouts = Layouts(network)

    def hook(self, name: str, module: nn.Module, output: object) -> None:
        self.calls[name] += 1
        if self.calls[name] > 1:
            return
        row = {"layer": name, "kind": type(module).__name__, "activation": activation_of(module)}
        row["parameters"] = sum(parameter.numel() for parameter in module.parameters())
        row["flops"] = self.flops.get_total_flops() // BATCH
        row |= self.layouts.describe(name, module, output)
        tensor = output if isinstance(output, Tensor) else None
        if not row["refused"]:
            row |= _field_columns(self.tracker.field_of(output), row, self.network.data.input_size[1:])
        self.seen.append((row, self._contents(tensor, name), tensor))  # the tensor keeps its storage's identity

    def _contents(self, tensor: Tensor | None, name: str) -> tuple:
        """Equal for two layers only if what they put out is the same memory, and unchanged in between."""
        if tensor is None:
            return (name,)
        storage = tensor.untyped_storage()._cdata
        changed = self.tracker.changed_at.get(storage, 0)
        return storage, changed, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()

    def rows(self) -> Iterator[dict]:
        possible = sorted(self.seen, key=lambda seen: _rank(seen[0]))  # stable: the last one of the best kind stays
        last = {contents: row["layer"] for row, contents, _ in possible if not row["refused"]}
        for row, contents, tensor in self.seen:
            layer = row["layer"]
            inplace = tensor is not None and contents != self._contents(tensor, layer)
            same_as = last.get(contents, layer)
            yield row | {"calls": self.calls[layer], "inplace": inplace, "same_as": same_as if same_as != layer else ""}


def _rank(row: dict) -> tuple[bool, bool]:
    """Layers by how well their name tells what they put out: with weights, with a nonlinearity, others."""
    return row["parameters"] > 0, bool(row["activation"])


def activation_of(module: nn.Module) -> str:
    """Name of the nonlinearity that a module ends with ("relu", "silu"), "" where it has none of its own."""
    inner = getattr(module, "act", None) if "Norm" in type(module).__name__ else module
    kind = type(inner)
    if inner is None or kind is nn.Identity or next(inner.children(), None) is not None:
        return ""
    is_activation = kind.__module__ == "torch.nn.modules.activation" or "activations" in kind.__module__
    return kind.__name__.lower() if is_activation and kind is not nn.MultiheadAttention else ""


def _pass(network, module: nn.Module, device: torch.device | str) -> _Outputs:
    """A forward pass of zeros through the network's module or its copy, with all hooks."""
    with torch.inference_mode(), FlopCounterMode(display=False) as flops:
        inputs = torch.zeros(BATCH, *network.data.input_size, device=device)
        with FieldTracker(inputs) as tracker:
            outputs = _Outputs(network, tracker, flops)
            with _hooked(module, outputs.hook):
                module(inputs)
    return outputs


@contextmanager
def _hooked(module: nn.Module, see) -> Iterator[None]:
    handles = []
    try:
        for name, child in module.named_modules():
            if name:
                handles.append(child.register_forward_hook(lambda m, _, output, name=name: see(name, m, output)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _field_columns(field: Field | None, row: dict, input_hw: tuple[int, int]) -> dict:
    """Receptive field and stride in input pixels."""
    stride = max(1, round(input_hw[0] / row["height"]))
    exact = field is not None and field.exact
    size, start = (max(field.y.size, field.x.size), min(field.y.start, field.x.start)) if exact else (max(input_hw), 0)
    if exact and field.y.jump == field.x.jump:
        stride = int(field.y.jump)
    return {
        "stride": stride,
        "receptive_field_px": int(size),
        "receptive_field_start_px": int(start),
        "receptive_field_exact": exact,
    }


def _never_called(module: nn.Module, calls: Counter) -> Iterator[dict]:
    for name, child in module.named_modules():
        if name and not calls[name]:
            parameters = sum(parameter.numel() for parameter in child.parameters())
            reason = "it is never called as a module in a forward pass"
            yield {"layer": name, "kind": type(child).__name__, "parameters": parameters, "refused": reason}
