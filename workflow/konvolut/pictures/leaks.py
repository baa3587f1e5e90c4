"""Gradients for dead units: ReLUs that are off let some through."""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn

from konvolut.network.convolution import Convolution

# Steps during which gradients leak (16: lucid, its redirected ReLU), and the slope they see: found by trial, a tenth
# revives units and leaves living ones nearly as they were.
LEAKING_STEPS, SLOPE = 16, 0.1


@contextlib.contextmanager
def leaking(module: nn.Module) -> Iterator[None]:
    """Outputs of nn.ReLU and nn.ReLU6 stay as they are, their slope is SLOPE higher everywhere.

    Also of those that belong to a Convolution, which do their own leaking.
    """

    def leak(relu: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output + SLOPE * (inputs[0] - inputs[0].detach())

    fused = [part for part in module.modules() if isinstance(part, Convolution) and part.activation is not None]
    taken = {part.activation for part in fused}
    relus = [part for part in module.modules() if isinstance(part, nn.ReLU | nn.ReLU6) and part not in taken]
    inplace = [relu.inplace for relu in relus]
    handles = []
    try:
        for relu in relus:
            relu.inplace = False  # an input that is overwritten has lost the gradient that shall pass
            handles.append(relu.register_forward_hook(leak, prepend=True))  # before the hook that records
        for part in fused:
            part.leak = SLOPE
        yield
    finally:
        for part in fused:
            part.leak = 0.0
        for handle in handles:
            handle.remove()
        for relu, was in zip(relus, inplace, strict=True):
            relu.inplace = was
