"""Recording: the right tensor, in (B, C, H, W), with no work above it and no hook left behind."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from konvolut.errors import UserError
from konvolut.network import record


class Plain(nn.Module):
    """Convolution, then a ReLU in place, then an activation used twice, then a layer that counts its calls."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.twice = nn.Tanh()
        self.top = nn.Conv2d(4, 2, 1)
        self.pair = nn.Identity()
        self.top_calls = 0

    def forward(self, x):
        x = self.twice(self.relu(self.conv(x)))
        x = self.twice(x)
        self.top_calls += 1
        self.pair((x, x))
        return self.top(x)


def layer(name, layout="bchw", height=8, width=8, stride=1):
    return SimpleNamespace(name=name, layout=layout, height=height, width=width, stride=stride)


def hooks_of(module):
    return [hook for child in module.modules() for hook in child._forward_hooks]


@pytest.fixture
def plain():
    torch.manual_seed(0)
    return Plain().eval()


@pytest.fixture
def x():
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_layer_shows_its_output_before_it_is_changed_in_place(plain, x):
    with record.record(plain, [layer("conv"), layer("relu")]) as recording:
        recording.run(plain, x)
    assert torch.equal(recording["conv"], plain.conv(x))
    assert torch.equal(recording["relu"], plain.conv(x).relu())
    assert (recording["conv"] < 0).any()


def test_a_module_that_is_called_twice_shows_its_first_call(plain, x):
    with record.record(plain, [layer("twice")]) as recording:
        recording.run(plain, x)
    assert torch.equal(recording["twice"], plain.conv(x).relu().tanh())


def test_stopping_does_no_work_above_the_last_layer(plain, x):
    with record.record(plain, [layer("relu"), layer("conv")], stop=True) as recording:
        recording.run(plain, x)
    assert set(recording) == {"relu", "conv"}
    assert recording.output is None
    assert plain.top_calls == 0


def test_without_stopping_the_output_is_that_of_the_module(plain, x):
    with record.record(plain, [layer("conv")]) as recording:
        assert torch.equal(recording.run(plain, x).output, plain(x))


def test_keep_decides_what_is_kept(plain, x):
    with record.record(plain, [layer("conv")], keep=lambda shown, name: shown.amax((2, 3))) as recording:
        recording.run(plain, x)
    assert torch.equal(recording["conv"], plain.conv(x).amax((2, 3)))


def test_a_second_run_replaces_the_first(plain, x):
    with record.record(plain, [layer("conv")], stop=True) as recording:
        recording.run(plain, x)
        recording.run(plain, 2 * x)
    assert torch.equal(recording["conv"], plain.conv(2 * x))


def test_no_hook_is_left_after_the_block_nor_after_exceptions_in_it_or_in_the_model(plain, x):
    with record.record(plain, [layer("conv")]):
        assert hooks_of(plain)
    assert not hooks_of(plain)
    with pytest.raises(ZeroDivisionError), record.record(plain, [layer("conv")]):
        _ = 1 / 0
    assert not hooks_of(plain)
    with pytest.raises(RuntimeError), record.record(plain, [layer("conv")]) as recording:
        recording.run(plain, torch.zeros(1, 7, 8, 8))
    assert not hooks_of(plain)
    with (
        pytest.raises(UserError, match=r"no layer 'cnov'.*nearest: 'conv'"),
        record.record(plain, [layer("conv"), layer("cnov")]),
    ):
        pass
    assert not hooks_of(plain)


def test_what_is_no_tensor_is_refused(plain, x):
    with pytest.raises(UserError, match="tuple, not a tensor"), record.record(plain, [layer("pair")]) as recording:
        recording.run(plain, x)
    assert not hooks_of(plain)


def test_the_truncated_network_has_the_gradient_of_the_layer(plain, x):
    x = x.requires_grad_()
    network = SimpleNamespace(module=plain)
    by_record = torch.autograd.grad(record.truncated(network, layer("relu"))(x)[:, 1].sum(), x)[0]
    by_hand = torch.autograd.grad(plain.conv(x).relu()[:, 1].sum(), x)[0]
    assert torch.equal(by_record, by_hand)
    assert plain.top_calls == 0


def test_channels_last_outputs_are_turned():
    values = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    shown = record.present(values, layer("x", "bhwc", 3, 4))
    assert shown.shape == (2, 5, 3, 4)
    assert shown[1, 2, 0, 3] == values[1, 0, 3, 2]


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_tokens_are_laid_on_their_grid_without_the_class_tokens(prefix):
    values = torch.arange(2 * (6 + prefix) * 3).view(2, 6 + prefix, 3)
    shown = record.present(values, layer("x", "bnc", 2, 3))
    assert shown.shape == (2, 3, 2, 3)
    assert torch.equal(shown[1, :, 1, 0], values[1, prefix + 3])


def test_tokens_of_another_picture_size_lie_on_the_grid_of_that_size():
    values = torch.arange(1 * 13 * 2).view(1, 13, 2)
    shown = record.present(values, layer("x", "bnc", 14, 14, stride=16), input_hw=(64, 48))
    assert shown.shape == (1, 2, 4, 3)
    assert torch.equal(shown[0, :, 0, 0], values[0, 1])
    with pytest.raises(UserError, match="13 tokens do not form a grid"):
        record.present(values, layer("x", "bnc", 14, 14, stride=16))


def test_vectors_are_maps_of_one_cell():
    assert record.present(torch.ones(2, 7), layer("x", "bc")).shape == (2, 7, 1, 1)
