"""Leaks: same outputs, gradients where there were none, nothing left behind."""

import pytest
import torch
from torch import nn

from konvolut.pictures.leaks import SLOPE, leaking


@pytest.mark.parametrize("relu", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("inplace", [False, True])
def test_outputs_stay_and_a_dead_unit_gets_a_gradient(relu, inplace):
    module = nn.Sequential(nn.Identity(), relu(inplace=inplace))
    x = torch.tensor([-2.0, -0.5, 3.0], requires_grad=True)
    with leaking(module):
        y = module(x * 1)
        (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.tolist() == [0, 0, 3]
    assert gradient.tolist() == pytest.approx([SLOPE, SLOPE, 1 + SLOPE])


def test_nothing_is_left_after_an_exception():
    module = nn.Sequential(nn.ReLU(inplace=True), nn.ReLU6(inplace=True))
    with pytest.raises(ZeroDivisionError), leaking(module):
        raise ZeroDivisionError
    assert all(part.inplace and not part._forward_hooks for part in module)


def test_a_recorded_relu_leaks_too():
    relu = nn.ReLU()
    seen = []
    relu.register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.tensor([-1.0], requires_grad=True)
    with leaking(relu):
        relu(x)
    (gradient,) = torch.autograd.grad(seen[0].sum(), x)
    assert float(gradient) == pytest.approx(SLOPE)
