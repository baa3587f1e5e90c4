"""Optimisers and rates against their definitions and torch's own."""

import pytest
import torch

from konvolut.asked.built_in import named
from konvolut.pictures import steps


def test_normalised_steps_go_as_far_as_the_rate_on_average():
    values = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    gradient = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 1e3]).view(
        2, 1, 1, 1
    )
    moved = values.clone().requires_grad_()
    optimiser = steps.OPTIMISERS["normalised"]([moved], lr=0.01, weight_decay=0.0, maximize=True)
    moved.grad = gradient
    optimiser.step()
    for sample in range(2):
        expected = values[sample] + 0.01 / gradient[sample].abs().mean() * gradient[sample]
        assert torch.allclose(moved[sample], expected, atol=1e-6)


def test_normalised_steps_without_a_gradient_go_nowhere():
    values = torch.ones(1, 1, 2, 2, requires_grad=True)
    values.grad = torch.zeros_like(values)
    steps.OPTIMISERS["normalised"]([values], lr=1.0, weight_decay=0.0, maximize=True).step()
    assert torch.equal(values.detach(), torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize(("step_size", "gamma"), [(100, 0.9), (3, 0.5)])
def test_stairs_are_torchs(step_size, gamma):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=10.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size, gamma)
    recipe = named("timm-vis", step_size=step_size, gamma=gamma)
    for step in range(12):
        assert steps.rate(recipe, step) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
