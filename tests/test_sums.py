"""Sums of shortcuts that convolutions take over: the same outputs and gradients as the blocks' own."""

import copy

import pytest
import torch
from torch import fx, nn

from konvolut.asked.settings import ModelSource
from konvolut.network import models, streamline, sums
from konvolut.network.convolution import Convolution
from marks import IN_BFLOAT16


class Block(nn.Module):
    """A bottleneck: 1x1, 3x3, 1x1, and a shortcut."""

    def __init__(self, stride=1, act=None, downsample=False):
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(8, 4, 1), nn.ReLU(inplace=True)
        self.conv2, self.act2 = nn.Conv2d(4, 4, 3, stride, 1), nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(4, 8, 1)
        self.downsample = nn.Sequential(nn.Conv2d(8, 8, 1, stride)) if downsample else nn.Identity()
        self.act3 = act or nn.Identity()

    def forward(self, x):
        y = self.conv3(self.act2(self.conv2(self.act1(self.conv1(x)))))
        y += self.downsample(x)
        return self.act3(y)


class Plain(nn.Module):
    """Without an activation, as in EfficientNet, and written the other way round."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x):
        return x + self.second(self.first(x))


class Itself(nn.Module):
    """One convolution and its own input."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(x) + x)


class Many(nn.Module):
    """An input that is read four times, once before the first convolution and once by a pooling."""

    def __init__(self):
        super().__init__()
        self.before, self.pool = nn.Sigmoid(), nn.AvgPool2d(3, 1, 1)
        self.left, self.right = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        gate = self.before(x)
        return torch.add(self.left(x), self.right(x)) * gate + self.pool(x)


class Broadcast(nn.Module):
    """A sum with one number per picture and channel."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(8, 8, 1), nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.conv(x) + self.pool(x)


class Decides(nn.Module):
    """What it does depends on the numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return self.conv(x) + x if x.mean() > -10 else x


class InPlace(nn.Module):
    """Its input is changed after the first convolution has read it."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.last = nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = x * 1
        y = self.conv(x)
        return self.last(self.act(x)) + y


BLOCKS = {
    "identity, ReLU": lambda: Block(act=nn.ReLU(inplace=True)),
    "identity, ReLU6": lambda: Block(act=nn.ReLU6(inplace=True)),
    "identity": Block,
    "stride": lambda: Block(2, nn.ReLU(inplace=True), downsample=True),
    "downsample": lambda: Block(1, None, downsample=True),
    "plain": Plain,
    "itself": Itself,
    "many": Many,
    "broadcast": Broadcast,
    "decides": Decides,
    "in place": InPlace,
}
UNTOUCHED = ("decides",)


def frozen(module):
    """Its convolutions as `streamlined` freezes them."""
    module = module.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return streamline.frozen(module, [], torch.rand(1, 8, 9, 11) - 0.5)


def expected_of(module):
    """The module, nothing in place: torch's convolution wants to find what it has read."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    return copied


def inputs(dtype=torch.float32):
    drawn = torch.randn(3, 8, 9, 11, generator=torch.Generator().manual_seed(0))
    return drawn.to(dtype, memory_format=torch.channels_last)


def run(module, x):
    """Output and gradient of the input, where the output and the input go on to others, too."""
    x = x.clone().requires_grad_()
    seen = x * 1
    y = module(seen)
    above = torch.rand(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    (gradient,) = torch.autograd.grad((y * above).sum() + (y.square()).sum() + x.sin().sum(), x)
    return y.detach(), gradient


def graphs(module):
    return [name for name, part in module.named_modules() if isinstance(part, fx.GraphModule)]


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("second", BLOCKS)
def test_two_blocks_put_out_the_same_and_so_do_their_gradients(kind, second):
    torch.manual_seed(0)
    module = nn.Sequential(BLOCKS[kind](), BLOCKS[second]())
    taken = frozen(module)
    sums.join(taken, [], [])
    assert graphs(taken) == [name for name, which in (("0", kind), ("1", second)) if which not in UNTOUCHED]
    for found, expected in zip(run(taken, inputs()), run(expected_of(module), inputs()), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@IN_BFLOAT16
@pytest.mark.parametrize("kind", BLOCKS)
def test_in_bfloat16_sums_are_rounded_once(kind):
    torch.manual_seed(0)
    module = BLOCKS[kind]()
    taken = nn.Sequential(frozen(module))
    sums.join(taken, [], [])
    exact, x = run(expected_of(module), inputs(torch.bfloat16).float()), inputs(torch.bfloat16)
    far = [
        (found.float() - wanted).norm() / wanted.norm()
        for found, wanted in zip(run(taken.bfloat16(), x), exact, strict=True)
    ]
    assert max(far) < 0.02


def test_gradients_come_out_the_same_twice():
    torch.manual_seed(0)
    taken = frozen(nn.Sequential(*(BLOCKS[kind]() for kind in ("identity, ReLU", "plain", "identity, ReLU"))))
    sums.join(taken, [], [])
    x = inputs().requires_grad_()
    y = taken(x).sum()
    (first,) = torch.autograd.grad(y, x, retain_graph=True)
    (again,) = torch.autograd.grad(y, x)
    assert torch.equal(first, again)


def test_branches_hand_on_their_input_from_one_to_the_next():
    torch.manual_seed(0)
    taken = nn.Sequential(frozen(Many()))
    assert sums.join(taken, [], [])
    calls = {node.target: node.args for node in taken[0].graph.nodes if node.op == "call_module"}
    assert calls["right"][2] == "overwritten"  # by the left one alone, whose gradient is its own
    assert calls["left"][2] == "added"  # by the pooling


def test_where_nothing_is_taken_over_it_says_so():
    assert not sums.join(nn.Sequential(frozen(Decides())), [], [])


def test_what_is_taken_over_is_one_call():
    taken = nn.Sequential(frozen(BLOCKS["identity, ReLU"]()))
    sums.join(taken, [], [])
    assert isinstance(taken[0].conv3.activation, nn.ReLU)
    assert [node.target for node in taken[0].graph.nodes if node.op == "call_module"] == ["conv1", "conv2", "conv3"]


def test_an_activation_that_is_used_twice_stays_a_module():
    """Gradients that leak (leaks.py) would find only one of its uses."""
    block = BLOCKS["identity, ReLU"]()
    block.act1 = block.act2 = block.act3
    taken = nn.Sequential(frozen(block))
    assert sums.join(taken, [], [])
    assert taken[0].conv3.activation is None


def test_a_block_around_a_layer_that_is_asked_for_stays_as_it_is():
    taken = nn.Sequential(frozen(BLOCKS["identity, ReLU"]()), frozen(BLOCKS["plain"]()))
    sums.join(taken, ["0.conv2"], [])
    assert graphs(taken) == ["1"]


def test_an_activation_that_ends_a_layer_stays_a_module():
    """Objectives look before it."""
    network = models.build(ModelSource("m", "m", "test_resnet", "random:3"))
    block = streamline.streamlined(network, "layer3").module.get_submodule("layer3.0")
    assert isinstance(block, fx.GraphModule)
    assert isinstance(block.act3, nn.ReLU)
    assert block.conv3.activation is None
    assert isinstance(
        streamline.streamlined(network, "layer4").module.get_submodule("layer3.0.conv2").activation, nn.ReLU
    )


def test_gradients_that_are_wrong_are_not_taken(monkeypatch):
    """A block is taken apart and put together: where that went wrong, the network stays as it was."""
    network = models.build(ModelSource("m", "m", "test_resnet", "random:3"))
    assert graphs(streamline.streamlined(network, "layer4").module)
    right = Convolution.through
    wrong = lambda self, gradient, y: right(self, gradient, y) * (0.5 if self in joined else 1)  # noqa: E731
    joined = set()

    def join(module, layers, ends, only):
        joined.update(part for part in module.modules() if isinstance(part, Convolution))
        return sums_join(module, layers, ends, only)

    sums_join = sums.join
    monkeypatch.setattr(sums, "join", join)
    monkeypatch.setattr(Convolution, "through", wrong)
    assert not graphs(streamline.streamlined(network, "layer4").module)


class Listed(nn.Module):
    """As SelecSLS: a block that takes a tensor or a list of them, which its code cannot be read for at once."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = x if isinstance(x, list) else [x]
        return [self.conv(x[0]) + x[0], *x]


class Lists(nn.Module):
    """Two of them, the second one given a list."""

    def __init__(self):
        super().__init__()
        self.blocks, self.end = nn.ModuleList([Listed(), Listed()]), nn.Identity()

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.end(x[0])


def test_of_blocks_only_the_one_that_is_given_a_list_stays_as_it_was():
    data = models.DataConfig((3, 16, 16), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    module = Lists().eval().requires_grad_(False)
    lean = streamline.streamlined(models.Network(module, {}, "", data), "end")
    assert graphs(lean.module) == ["blocks.0"]
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(lean.module(x), module(x))


def test_kernels_are_laid_out_anew_for_another_shape_and_not_copied():
    part = frozen(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1)))[0]
    part.kernels.clear()
    part(inputs())
    (first,) = part.kernels.values()
    part(inputs())
    assert next(iter(part.kernels.values()))[2] is first[2]
    part(inputs()[:, :, :5])
    assert next(iter(part.kernels.values()))[2] is not first[2]
    assert not copy.deepcopy(part).kernels
