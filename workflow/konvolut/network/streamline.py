"""The same function with less work: a network made ready for many ascents of one layer.

Batch normalisation is folded into the convolution before it, which saves passes over memory: 15 (late layers) to 45 %
(early ones) of an ascent's time on tf_efficientnet_lite0, float32 on a CPU. Activations no longer work in place: for
all but ReLU torch then copies their input for the gradient, which cost another fifth.

On CPUs convolutions take over the ReLU or ReLU6 after them, how gradients go back through them (convolution.py) and the
sums of shortcuts (sums.py), and linear maps of vectors, such as classifiers, take the samples of a batch one by one.
"""

import copy
import dataclasses
from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from konvolut.errors import UserError
from konvolut.network import onednn, sums
from konvolut.network.convolution import Convolution, can_freeze
from konvolut.network.gradients import DILATED
from konvolut.network.models import Network
from konvolut.network.trial import does_the_same, puts_out, watch

PROBE_SEED = 0
# How often blocks that do not do the same once their sums are taken over are halved, to find those that do.
HALVINGS = 3


class Folded(nn.Module):
    """What is left of a normalisation that was folded: timm's dropout and activation, under their own names."""

    def __init__(self, normalisation: nn.Module) -> None:
        super().__init__()
        for name, child in normalisation.named_children():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        for child in self.children():
            x = child(x)
        return x


class Single(nn.Module):
    """An nn.Linear that takes vectors (B, C) one by one: a product of matrices rounds by how many rows it has.

    Weights are read once for each sample then: a thirtieth of the time of a pass to lite0's classifier.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 2:
            return F.linear(x, self.weight, self.bias)
        return torch.cat([F.linear(row, self.weight, self.bias) for row in x.split(1)])


def streamlined(network: Network, *layers: str) -> Network:
    """The network for ascents of some layers, which put out the same; what the others put out may be another thing."""
    module, probe = copy.deepcopy(network.module), _probe(network)
    expected = watch(module, layers, probe).outputs
    module = _if_same(module, folded(module, layers, probe), expected, probe)
    module.to(memory_format=torch.channels_last)
    for part in module.modules():
        if getattr(part, "inplace", False) and not isinstance(part, nn.ReLU):
            part.inplace = False
    if network.device.type == "cpu":
        module = _if_same(module, frozen(module, layers, probe), expected, probe)
        module = joined(module, expected, probe)
        _dilate_pointwise(module)
        for name, part in list(module.named_modules()):
            if type(part) is nn.Linear and name:
                module.set_submodule(name, Single(part))
    return dataclasses.replace(network, module=module)


def narrowed(network: Network, precision: str) -> Network:
    """A copy of the network that computes in `precision`; the network itself for float32 and auto.

    Raises UserError for bfloat16 where the device cannot compute in it.
    """
    if precision != "bfloat16":
        return network
    if not computes_in_bfloat16(network.device):
        raise UserError(
            "precision: bfloat16: this CPU cannot compute in it, as oneDNN needs AVX-512 or AVX-NE-CONVERT for that;"
            " possible: auto, float32"
        )
    return dataclasses.replace(network, module=copy.deepcopy(network.module).to(torch.bfloat16))


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether convolutions in bfloat16 run on a device; of CPUs only some have the instructions."""
    return device.type != "cpu" or onednn.computes_in_bfloat16()


def as_input(inputs: Tensor, precision: str) -> Tensor:
    """Inputs (B, C, H, W) as `narrowed` takes them, colours last in memory as convolutions want it."""
    wanted = torch.bfloat16 if precision == "bfloat16" else inputs.dtype
    if inputs.device.type == "cpu":
        return _AsInput.apply(inputs, wanted)
    return inputs.to(wanted, memory_format=torch.channels_last)


class _AsInput(torch.autograd.Function):
    """Type and order one after the other; the gradient lies as the inputs did.

    Both at once takes twice as long, and the gradient of a warp by gradients with the colours last a fourth longer.
    """

    @staticmethod
    def forward(ctx, inputs: Tensor, wanted: torch.dtype) -> Tensor:
        ctx.dtype, ctx.colours_first = inputs.dtype, inputs.is_contiguous()
        return onednn.in_order(inputs.to(wanted))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        order = torch.contiguous_format if ctx.colours_first else torch.channels_last
        return gradient.to(ctx.dtype, memory_format=order), None


def _dilate_pointwise(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.padding == (0, 0):
            part.dilation = tuple(DILATED)


def _probe(network: Network) -> Tensor:
    generator = torch.Generator().manual_seed(PROBE_SEED)
    parameter = next(network.module.parameters(), torch.empty(0))
    return torch.randn(1, *network.data.input_size, generator=generator).to(parameter)


@torch.no_grad()
def folded(module: nn.Module, layers: Sequence[str], probe: Tensor) -> nn.Module:
    """A copy of a module in eval mode without its batch normalisations that were given a convolution's very output."""
    seen, copied = watch(module, layers, probe), copy.deepcopy(module)
    for conv, normalisation in seen.pairs:
        if conv not in layers and _is_plain_normalisation(module.get_submodule(normalisation)):
            _fold(copied, conv, normalisation)
    return copied


@torch.no_grad()
def frozen(module: nn.Module, layers: Sequence[str], probe: Tensor) -> nn.Module:
    """A copy of a module whose convolutions are our own, each with the ReLU or ReLU6 that was given its very output.

    An activation that ends one of the `layers` stays a module: objectives look before it (views.py).
    """
    seen, copied = watch(module, layers, probe), copy.deepcopy(module)
    activations = {
        conv: name
        for conv, name in seen.pairs
        if type(module.get_submodule(name)) in onednn.FUSED and not {conv, name} & seen.ends
    }
    for name, part in module.named_modules():
        if can_freeze(part):
            activation = copied.get_submodule(activations[name]) if name in activations else None
            copied.set_submodule(name, Convolution(copied.get_submodule(name), activation))
    for name in activations.values():
        copied.set_submodule(name, nn.Identity())
    return copied


def joined(module: nn.Module, expected: dict[str, Tensor], probe: Tensor) -> nn.Module:
    """A frozen module whose convolutions take over the sums of shortcuts, in blocks that together still do the same."""
    layers, ends = tuple(expected), watch(module, tuple(expected), probe).ends

    def tried(module: nn.Module, blocks: Collection[str] | None, halvings: int) -> nn.Module:
        """All of the blocks where they do the same, else what is possible of their halves, one after the other."""
        copied = copy.deepcopy(module)
        blocks = sums.join(copied, layers, ends, blocks)
        if blocks and does_the_same(copied, module, expected, probe):
            return copied
        if halvings and len(blocks) > 1:
            middle = len(blocks) // 2
            for half in (blocks[:middle], blocks[middle:]):
                module = tried(module, half, halvings - 1)
        return module

    return tried(module, None, HALVINGS)


def _if_same(module: nn.Module, changed: nn.Module, expected: dict[str, Tensor], probe: Tensor) -> nn.Module:
    """The changed module if its layers put out what is expected, else (an output was used elsewhere too) the module."""
    return changed if puts_out(changed, expected, probe) else module


def _is_plain_normalisation(part: nn.Module) -> bool:
    children = {name for name, _ in part.named_children()}
    return isinstance(part, nn.BatchNorm2d) and part.track_running_stats and children <= {"drop", "act"}


def _fold(module: nn.Module, conv_name: str, normalisation_name: str) -> None:
    conv, norm = module.get_submodule(conv_name), module.get_submodule(normalisation_name)
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.weight = nn.Parameter(weight, requires_grad=False)
    conv.bias = nn.Parameter(bias, requires_grad=False)
    module.set_submodule(normalisation_name, Folded(norm))
