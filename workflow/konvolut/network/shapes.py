"""Forward passes of shapes without numbers, on the meta device, which cost neither memory nor time."""

import copy

import torch
from torch import Tensor, nn

from konvolut.network.record import record

BATCH = 2  # as in the census


def without_numbers(module: nn.Module) -> nn.Module:
    """A copy on the meta device, made without copying weights. A copy, as some models (CoaT) keep tensors of a pass."""
    tensors = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(tensor): _on_meta(tensor) for tensor in tensors})


def takes(network, layer, size: tuple[int, int]) -> bool:
    """Whether the forward pass up to a layer works for inputs of `size` (height, width).

    Some refuse all sizes but their own (by timm's word, fixed_input_size, or by an assertion), some demand multiples of
    something (HaloNet, CSATv2).
    """
    own = tuple(network.data.input_size[1:])
    if size == own or (getattr(network.module, "pretrained_cfg", None) or {}).get("fixed_input_size", False):
        return size == own
    bare = without_numbers(network.module)
    if _passes(network, bare, layer, size):
        return True
    return not _passes(network, bare, layer, own) and _passes(network, network.module, layer, size)


def _passes(network, module: nn.Module, layer, size: tuple[int, int]) -> bool:
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    inputs = torch.zeros(BATCH, network.data.input_size[0], *size, device=device)
    try:
        with torch.inference_mode(), record(module, [layer], stop=True) as recording:
            recording.run(module, inputs)
    except Exception:  # each model has its own way to refuse a size: assertions, failed reshapes, ...
        return False
    return True


def _on_meta(tensor: Tensor) -> Tensor:
    empty = tensor.detach().to("meta")
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty
