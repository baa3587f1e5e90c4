"""What modules put out, caught by hooks that are always removed, and shown as (B, C, H, W) whatever the architecture.

    layout  a module puts out            shown as
    bchw    (B, C, H, W)                 itself
    bhwc    (B, H, W, C)                 axes moved
    bnc     (B, tokens, C)               class and register tokens dropped, the others laid out on their grid
    bc      (B, C)                       (B, C, 1, 1)

A module that is called several times in one forward pass shows its first call.
A layer is anything with `name, layout, height, width, stride` (censuses.LayerSpec, at the model's own input size).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from konvolut.errors import UserError, nearest

MOST_PREFIX_TOKENS = 16  # class, distillation and register tokens: DINOv2 has 5, the most in timm 1.0


class Reached(Exception):  # noqa: N818 - not an error: the forward pass has reached all layers that were asked for
    """Ends a forward pass early; only `run` sees it."""


class Recording(dict[str, Any]):
    """Layer name -> activation (B, C, H, W), or what `keep` made of it; filled anew by each `run`.

    `output` is what the whole module put out in the last run, None where the pass ended early.
    """

    output: Any = None
    input_hw: tuple[int, int] | None = None

    def run(self, module: nn.Module, inputs: Tensor) -> "Recording":
        """Forward pass of (B, C, H, W) inputs through the recorded module, as far as needed."""
        self.clear()
        self.input_hw, self.output = tuple(inputs.shape[-2:]), None
        with suppress(Reached):
            self.output = module(inputs)
        return self


@contextmanager
def record(
    module: nn.Module, layers: Sequence, *, stop: bool = False, keep: Callable[[Tensor, str], Any] | None = None
) -> Iterator[Recording]:
    """Record layers within a `with` block; with stop, end each forward pass as soon as all are recorded.

    `keep(shown, name of the layer)` decides what is kept; it sees the tensor before later modules change it in place.
    Without it a copy is kept, or the tensor itself for the layer that ends the pass.
    """
    recording = Recording()
    modules = dict(module.named_modules())
    handles = []
    try:
        for layer in layers:
            if layer.name not in modules:
                raise UserError(f"the model has no layer {layer.name!r}{nearest(layer.name, modules)}")
            hook = _make_hook(recording, layer, last=len(layers) if stop else 0, keep=keep)
            handles.append(modules[layer.name].register_forward_hook(hook))
        yield recording
    finally:
        for handle in handles:
            handle.remove()


def activations_of(network, layers: Sequence, inputs: Tensor) -> dict[str, Tensor]:
    """Layer name -> (B, C, H, W) from one forward pass that ends at the last layer; keeps autograd's setting."""
    with record(network.module, layers, stop=True) as recording:
        return dict(recording.run(network.module, inputs))


def truncated(network, layer) -> Callable[[Tensor], Tensor]:
    """The network up to one layer: inputs -> activation (B, C, H, W), differentiable, no work above it."""

    def forward(inputs: Tensor) -> Tensor:
        return activations_of(network, [layer], inputs)[layer.name]

    return forward


def present(output: Tensor, layer, input_hw: tuple[int, int] | None = None) -> Tensor:
    """A module's output as (B, C, H, W)."""
    if layer.layout == "bchw":
        return output
    if layer.layout == "bhwc":
        return output.movedim(-1, 1)
    if layer.layout == "bc":
        return output[:, :, None, None]
    height, width = token_grid(output.shape[1], layer, input_hw)
    return output[:, output.shape[1] - height * width :].transpose(1, 2).unflatten(2, (height, width))


def token_grid(tokens: int, layer, input_hw: tuple[int, int] | None = None) -> tuple[int, int]:
    """Rows and columns on which the last tokens lie; `input_hw` where the input has not the model's own size."""
    grids = [(layer.height, layer.width)]
    if input_hw is not None and layer.stride:
        grids.insert(0, tuple(-(-side // layer.stride) for side in input_hw))
    for height, width in grids:
        if 0 <= tokens - height * width <= MOST_PREFIX_TOKENS:
            return height, width
    raise UserError(f"layer {layer.name!r}: {tokens} tokens do not form a grid of {grids[0][0]} x {grids[0][1]}")


def _make_hook(recording: Recording, layer, *, last: int, keep: Callable | None) -> Callable:
    def hook(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        if layer.name in recording:
            return
        if not isinstance(output, torch.Tensor):
            raise UserError(f"layer {layer.name!r} puts out a {type(output).__name__}, not a tensor: it has no units")
        shown = present(output, layer, recording.input_hw)
        ends = len(recording) + 1 == last
        if keep is not None:
            recording[layer.name] = keep(shown, layer.name)
        else:
            recording[layer.name] = shown if ends else shown.clone()
        if ends:
            raise Reached

    return hook
