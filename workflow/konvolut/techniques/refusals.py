"""Why a model's activations make an attribution method meaningless: a sentence instead of a map that misleads."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from konvolut.network.census import activation_of
from konvolut.network.models import Network

OWN_RELUS = ("guided_backpropagation", "deconvnet")
# ReLUs, and nonlinearities that only weigh channels or tokens: the two methods leave those as they are.
GATES = {"relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "tanh"}
aten = torch.ops.aten
RELUS = {aten.relu.default, aten.relu_.default, aten.threshold.default, aten.clamp_min.default, aten.clamp_min_.default}
RELUS |= {aten.hardtanh.default, aten.hardtanh_.default}  # ReLU6
OTHERS = {
    aten.gelu.default: "GELU",
    aten.silu.default: "SiLU",
    aten.silu_.default: "SiLU",
    aten.hardswish.default: "Hardswish",
    aten.hardswish_.default: "Hardswish",
    aten.leaky_relu.default: "LeakyReLU",
    aten.leaky_relu_.default: "LeakyReLU",
    aten.elu.default: "ELU",
    aten.elu_.default: "ELU",
    aten.mish.default: "Mish",
}


def refusal(network: Network, method: str, census: pd.DataFrame) -> str:
    """One sentence that says why `method` means nothing for this network, or ""."""
    if method in OWN_RELUS:
        return _no_own_relus(network)
    if method == "grad_cam" and not last_map(census):
        return "no layer of the model ends with a map of channels (its last maps are tokens, or there are none)"
    return ""


def last_map(census: pd.DataFrame) -> str:
    """The last layer that puts out more than one cell, "" where it is none of (B, C, H, W)."""
    maps = census[(census["refused"] == "") & (census["height"] > 1) & (census["width"] > 1)]
    if not len(maps) or maps["layout"].iloc[-1] != "bchw":
        return ""
    return str(maps["layer"].iloc[-1])


def _no_own_relus(network: Network) -> str:
    """Both methods change the gradient of ReLU and ReLU6 modules: every nonlinearity must be one, called once."""
    needs = "it changes the gradient of ReLU modules, and "
    kinds = {type(part).__name__ for part in network.module.modules() if activation_of(part) not in {"", *GATES}}
    kinds = {name for name in kinds if "Norm" not in name}
    calls, operations = _one_pass(network)
    kinds |= {OTHERS[operation] for operation in operations if operation in OTHERS}
    if kinds:
        return f"{needs}the activations of this model are {', '.join(sorted(kinds))}"
    if not calls:
        return f"{needs}this model has none"
    reused = [name for name, count in calls.items() if count > 1]
    if reused:
        return f"{needs}{reused[0]!r} of this model is called {calls[reused[0]]} times in one pass"
    if sum(operations[operation] for operation in RELUS) > sum(calls.values()):
        return f"{needs}this model also calls ReLU as a function, where no hook reaches it"
    return ""


def _one_pass(network: Network) -> tuple[Counter, Counter]:
    """How often each ReLU module is called, and each operation is used, in one forward pass."""
    operations: Counter = Counter()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            operations[function] += 1
            return function(*args, **(kwargs or {}))

    with torch.no_grad(), _counted(network.module) as calls, Watch():
        network.module(torch.zeros(1, *network.data.input_size, device=network.device))
    return calls, operations


@contextmanager
def _counted(module: nn.Module) -> Iterator[Counter]:
    calls: Counter = Counter()
    relus = {name: part for name, part in module.named_modules() if isinstance(part, nn.ReLU | nn.ReLU6)}
    handles = []
    try:
        for name, part in relus.items():
            handles.append(part.register_forward_hook(lambda m, _, output, name=name: calls.update([name])))
        yield calls
    finally:
        for handle in handles:
            handle.remove()
