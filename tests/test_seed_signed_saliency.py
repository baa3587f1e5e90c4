"""Seed 003, the notebook's positive and negative maps; it takes them of |g|, where the negative one is always 0."""

import torch

from konvolut.techniques import attributions, saliency
from seed_loops import as_tensor, built, photograph


def test_both_signs_come_from_the_signed_gradient():
    network = built("test_resnet")
    sample = as_tensor(network, photograph(96, 96)).requires_grad_()
    score = network.module(sample)[0, 42]
    (g,) = torch.autograd.grad(score, sample)
    found = saliency.gradient(network, sample, torch.tensor([42]))
    positive = torch.maximum(g, torch.zeros_like(g)).max(dim=1)[0]
    negative = -torch.minimum(g, torch.zeros_like(g)).min(dim=1)[0]
    assert torch.allclose(attributions.positive(found), positive, atol=1e-8)
    assert torch.allclose(attributions.negative(found), negative, atol=1e-8)
    assert (negative > 0).any(), "as the seed has it, of |g|, this map would be 0 everywhere"
    of_sizes = attributions.vanilla(found)
    assert torch.equal(torch.maximum(positive, negative), of_sizes)


def test_of_a_grey_input_no_maximum_is_taken():
    g = torch.randn(2, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(attributions.vanilla(g), g[:, 0].abs())
    assert torch.equal(attributions.positive(g) - attributions.negative(g), g[:, 0])
