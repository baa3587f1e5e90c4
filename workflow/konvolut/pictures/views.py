"""What an objective looks at: some layers of a model in one pass that ends at the last of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from konvolut.network import record
from konvolut.pictures.objectives import Seen


def viewer(network, layers: Sequence, linear: Sequence[str] = ()) -> Callable[..., dict[str, Seen]]:
    """A function from inputs (B, C, H, W) to each layer's output, by name, differentiable.

    Of the layers named in `linear` also what went into the activation that they end with; of the others, and of those
    that end with none, `linear` is the output itself. `known` is the output for other inputs, where they are given.
    """

    def look(inputs: Tensor, others: Tensor | None = None) -> dict[str, Seen]:
        known: dict[str, Tensor] = {}
        if others is not None:
            with torch.no_grad():
                known = record.activations_of(network, layers, others)
        with _inputs_of_activations(network.module, layers, linear) as before:
            outputs = record.activations_of(network, layers, inputs)
        size, shown = tuple(inputs.shape[-2:]), dict(outputs)
        for layer in layers:
            if layer.name in before:
                shown[layer.name] = record.present(before[layer.name], layer, size)
        return {
            own.name: Seen(outputs[own.name], shown[own.name], (own.height, own.width), known.get(own.name))
            for own in layers
        }

    return look


def is_activation(module: nn.Module) -> bool:
    """Whether a module is an activation function of torch or timm."""
    home = type(module).__module__
    known = home == "torch.nn.modules.activation" or "activations" in home
    return known and not isinstance(module, nn.MultiheadAttention | nn.Softmax)


@contextmanager
def _inputs_of_activations(module: nn.Module, layers: Sequence, linear: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Layer -> the input of the activation module whose output is the layer's; without those that end otherwise."""
    found: dict[str, Tensor] = {}
    given: dict[nn.Module, Tensor] = {}
    made: list[tuple[Tensor, Tensor]] = []
    handles = []

    def keep_input(activation: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given[activation] = inputs[0].clone()  # it may be overwritten in place

    def keep_output(activation: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        made.append((output, given[activation]))

    def compare(name: str) -> Callable:
        def hook(part: nn.Module, inputs: tuple, output: Tensor) -> None:
            if made and made[-1][0] is output:
                found.setdefault(name, made[-1][1])

        return hook

    modules = dict(module.named_modules()) if linear else {}
    try:
        for part in filter(is_activation, modules.values()):
            handles += [part.register_forward_pre_hook(keep_input), part.register_forward_hook(keep_output)]
        for layer in layers:
            if layer.name in linear:
                handles.append(modules[layer.name].register_forward_hook(compare(layer.name)))
        yield found
    finally:
        for handle in handles:
            handle.remove()
