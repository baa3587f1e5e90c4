"""What a module does with one picture: which part is given whose output, and whether a changed one does the same."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn

from konvolut.network.record import Reached

# Folding changes the order of rounding only. Measured: below 1e-5 of the largest output for lite0 in float32.
LARGEST_DEVIATION = 1e-3
# Of the whole gradient's length: a ReLU that rounding turns on or off changes single numbers by more.
LARGEST_DEVIATION_OF_GRADIENTS = 1e-2


def puts_out(module: nn.Module, expected: dict[str, Tensor], probe: Tensor) -> bool:
    """Whether layers put out what is expected of them but for rounding."""
    found = watch(module, tuple(expected), probe).outputs
    return expected.keys() == found.keys() and all(
        bool((found[name] - output).abs().max() <= LARGEST_DEVIATION * output.abs().max())
        for name, output in expected.items()
    )


def does_the_same(changed: nn.Module, module: nn.Module, expected: dict[str, Tensor], probe: Tensor) -> bool:
    """Whether a module whose blocks were put together anew has the same outputs and alike gradients of its input."""
    try:
        if not puts_out(changed, expected, probe):
            return False
        found = _gradient(changed, tuple(expected), probe)
    except Exception:  # whatever the code of a block does that was read for a tensor and is given a list of them
        return False
    gradient = _gradient(module, tuple(expected), probe)
    return bool((found - gradient).norm() <= LARGEST_DEVIATION_OF_GRADIENTS * gradient.norm())


@torch.enable_grad()
def _gradient(module: nn.Module, layers: Sequence[str], probe: Tensor) -> Tensor:
    """Of the input, from the squares of all layers' outputs in a pass that ends at the last of them."""
    sums: dict[str, Tensor] = {}

    def note(name: str):
        def hook(part: nn.Module, inputs: tuple, output: Tensor) -> None:
            sums[name] = output.clone().square().sum()  # a copy, as what comes next may overwrite the output
            if len(sums) == len(layers):
                raise Reached

        return hook

    handles = [module.get_submodule(name).register_forward_hook(note(name)) for name in layers]
    inputs = probe.clone().requires_grad_()
    try:
        with suppress(Reached):
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    (found,) = torch.autograd.grad(torch.stack(list(sums.values())).sum(), inputs, allow_unused=True)
    return torch.zeros_like(probe) if found is None else found


@dataclasses.dataclass
class Seen:
    """One forward pass: (convolution, module that was given its very output) where both were called once; the layers'
    outputs; the modules whose very output is a layer's."""

    pairs: list[tuple[str, str]]
    outputs: dict[str, Tensor]
    ends: set[str]


@torch.no_grad()
def watch(module: nn.Module, layers: Sequence[str], probe: Tensor) -> Seen:
    """One forward pass of `probe` (1, C, H, W) with an eye on who is given whose output."""
    # Of each output: itself, its version (one more after each change in place) and who put it out, the maker first.
    returned: dict[int, tuple[object, int, list[str]]] = {}
    outputs: dict[str, Tensor] = {}
    pairs, ends, handles = [], set(), []
    calls: Counter[str] = Counter()
    modules = dict(module.named_modules())

    def given(name: str):
        def hook(part: nn.Module, inputs: tuple) -> None:
            calls[name] += 1
            output, version, makers = returned.get(id(inputs[0]), (None, 0, ())) if inputs else (None, 0, ())
            if makers and isinstance(modules[makers[0]], nn.Conv2d) and output._version == version:
                pairs.append((makers[0], name))

        return hook

    def made(name: str):
        def hook(part: nn.Module, inputs: tuple, output: object) -> None:
            makers = returned.setdefault(id(output), (output, getattr(output, "_version", 0), []))[2]
            makers.append(name)
            if name in layers:
                outputs[name] = output.clone()
                ends.update(makers)

        return hook

    try:
        for name, part in modules.items():
            handles += [part.register_forward_pre_hook(given(name)), part.register_forward_hook(made(name))]
        module(probe)
    finally:
        for handle in handles:
            handle.remove()
    once = [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1]
    return Seen(once, outputs, ends)
