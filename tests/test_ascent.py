"""The ascent against the lab notebook's loop written out, and what must hold for any recipe."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from konvolut.asked.built_in import BUILT_IN, named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.network import models
from konvolut.network.streamline import streamlined
from konvolut.pictures import ascent, climb, steps, transforms
from konvolut.results.contents import PER_UNIT
from marks import IN_BFLOAT16

LAYER = LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5)


@pytest.fixture(scope="module")
def network():
    return models.build(ModelSource("tiny", "tiny", "test_efficientnet", "random:1"))


@pytest.fixture(scope="module")
def lean(network):
    return streamlined(network, LAYER.name)


def starts(*channels, picture=None):
    return [ascent.UnitStart(channel, tuple(range(10 * channel, 10 * channel + 4)), picture) for channel in channels]


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def notebooks_loop(network, image, channel, optimiser, steps):
    """LAB 8: deep_dream(image, ...) with its hook, its loss and its stored pictures, all of the network running."""
    image = image.clone().requires_grad_()
    optimiser = optimiser([image])
    activations, losses = [], []
    handle = network.module.get_submodule(LAYER.name).register_forward_hook(
        lambda module, inputs, output: activations.append(output)
    )
    for _ in range(steps):
        optimiser.zero_grad()
        activations.clear()
        network.module(image)
        loss = -torch.mean(activations[-1][0, channel])
        loss.backward()
        optimiser.step()
        losses.append(-loss.item())
    handle.remove()
    return image.detach(), losses


def as_u8(network, image):
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (network.data.mean, network.data.std))
    return ((image * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()


def normalised(network, picture):
    mean, std = (torch.tensor(v)[:, None, None] for v in (network.data.mean, network.data.std))
    return ((picture - mean) / std)[None]


def test_recipe_lab_is_the_notebooks_loop_from_grey_noise(network):
    recipe = named("lab", steps=20, keep_every=5)
    noise = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(30)) * (180 - 150) / 255 + 150 / 255
    image, curve = notebooks_loop(
        network, normalised(network, noise), 3, lambda v: torch.optim.Adam(v, lr=0.1, weight_decay=1e-6), 20
    )
    found = ascent.ascend(network, LAYER, starts(3), recipe, (32, 32))
    np.testing.assert_allclose(found.curve[0, :20], curve, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.picture[0].astype(int), as_u8(network, image), atol=2)
    assert found.step.tolist() == [5, 10, 15, 20]
    assert np.array_equal(found.intermediate[0, -1], found.picture[0])


def test_recipe_lab_dream_is_the_notebooks_loop_from_a_photograph(network):
    photo = photograph(29, 43)
    start = normalised(network, torch.from_numpy(photo).permute(2, 0, 1) / 255)
    image, curve = notebooks_loop(network, start, 5, lambda v: torch.optim.SGD(v, lr=12, weight_decay=1e-4), 20)
    found = ascent.ascend(network, LAYER, starts(5, picture=photo), named("lab-dream", steps=20), (29, 43))
    np.testing.assert_allclose(found.curve[0, :20], curve, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.picture[0].astype(int), as_u8(network, image), atol=2)
    assert found.picture.shape == (1, 29, 43, 3)


def test_the_kept_pictures_are_those_of_shorter_ascents(network):
    long = ascent.ascend(network, LAYER, starts(2), named("lab", steps=6, keep_every=3), (32, 32))
    short = ascent.ascend(network, LAYER, starts(2), named("lab", steps=3, keep_every=0), (32, 32))
    assert np.array_equal(long.intermediate[0, 0], short.picture[0])
    assert np.array_equal(long.curve[0, :4], short.curve[0])
    assert short.intermediate.shape == (1, 0, 32, 32, 3)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "maco"])  # test_priors.py
def test_a_few_steps_raise_the_objective(network, name):
    recipe = named(name, steps=6, keep_every=0, coarse_steps=0)
    still = dataclasses.replace(recipe, transforms=(), variants=1)
    photo = photograph(33, 47)
    units = starts(0, 1, 4, picture=photo if "dream" in name or name in ("octave", "accentuation") else None)
    units = [dataclasses.replace(unit, known=photo) for unit in units]
    found = ascent.ascend(network, LAYER, units, still, (33, 47))
    assert (found.curve[:, -1] > found.curve[:, 0]).all()


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=IN_BFLOAT16)])
@pytest.mark.parametrize("name", ["lab", "lucid", "konvolut"])
def test_a_unit_alone_is_the_same_bits_as_in_any_batch(lean, name, precision):
    coarse_steps = 6 if name == "konvolut" else 0
    recipe = named(name, steps=12, keep_every=6, coarse_steps=coarse_steps, coarse_px=16, precision=precision)
    layer = dataclasses.replace(LAYER, receptive_field_px=100)
    together = ascent.ascend(lean, layer, starts(*range(9)), recipe, (32, 32))
    for batch in (1, 2, 5):
        smaller = dataclasses.replace(recipe, units_per_batch=batch)
        apart = ascent.ascend(lean, layer, starts(*range(9)), smaller, (32, 32))
        for field in dataclasses.fields(together):
            assert np.array_equal(getattr(together, field.name), getattr(apart, field.name)), field.name


@pytest.mark.parametrize("name", ["lab-dream", "konvolut-dream"])
def test_a_photograph_of_odd_size_dreams_the_same_bits_alone_and_beside_others(lean, name):
    recipe = named(name, steps=40, keep_every=20)
    units = starts(0, 1, 2, picture=photograph(107, 45))
    together = ascent.ascend(lean, LAYER, units, recipe, (107, 45))
    alone = ascent.ascend(lean, LAYER, units[1:2], recipe, (107, 45))
    for field in PER_UNIT:
        assert np.array_equal(getattr(alone, field)[0], getattr(together, field)[1]), field


def test_variants_of_a_unit_differ_more_with_diversity_and_know_no_other_unit(lean):
    recipe = named("diversity", steps=12, keep_every=0, variants=2, transforms=())
    units = [ascent.UnitStart(channel, (10 * channel + variant,)) for channel in (1, 4, 7) for variant in (0, 1)]
    alike = dataclasses.replace(recipe, objective=(("mean", 1.0),))

    def differences(found):
        pictures = found.picture.astype(float)
        return np.abs(pictures[::2] - pictures[1::2]).mean()

    together = ascent.ascend(lean, LAYER, units, recipe, (32, 32))
    alone = ascent.ascend(lean, LAYER, units[2:4], dataclasses.replace(recipe, units_per_batch=1), (32, 32))
    for field in PER_UNIT:
        assert np.array_equal(getattr(alone, field), getattr(together, field)[2:4]), field
    assert differences(together) > differences(ascent.ascend(lean, LAYER, units, alike, (32, 32)))


def test_an_objective_on_another_layer_is_climbed_too(network):
    other = LayerSpec("blocks.0", "bchw", 16, 16, 16, 2, 7, -2)
    recipe = named("lab", objective=(("mean:3@blocks.0", 1.0),), steps=10, keep_every=0)
    found = ascent.ascend(network, (LAYER, other), starts(2), recipe, (32, 32))
    direct = ascent.ascend(network, other, starts(3), dataclasses.replace(recipe, objective=(("mean", 1.0),)), (32, 32))
    assert found.curve[0, -1] > found.curve[0, 0]
    assert found.curve[0, 0] == pytest.approx(direct.curve[0, 0], abs=0.05)
    assert found.channel.tolist() == [2]


@pytest.mark.parametrize("objective", ["negative", "neuron", "norm", "layer"])
@pytest.mark.parametrize("optimiser", ["adam", "nadam", "sgd"])
def test_every_objective_rises_with_every_optimiser(lean, objective, optimiser):
    rate = 1.0 if optimiser == "sgd" else 0.05
    recipe = named("lab", objective=((objective, 1.0),), optimiser=optimiser, learning_rate=rate, steps=8, keep_every=0)
    found = ascent.ascend(lean, LAYER, starts(0, 5), recipe, (32, 32))
    assert (found.curve[:, -1] > found.curve[:, 0]).all()


def test_the_global_seed_does_not_matter(lean):
    recipe = named("lucid", steps=2, keep_every=0)
    torch.manual_seed(1)
    first = ascent.ascend(lean, LAYER, starts(1), recipe, (32, 32))
    torch.manual_seed(2)
    assert np.array_equal(first.picture, ascent.ascend(lean, LAYER, starts(1), recipe, (32, 32)).picture)


def test_no_hook_is_left_after_an_exception_in_the_middle(network, monkeypatch):
    def failing(seen):
        raise ZeroDivisionError

    monkeypatch.setattr(ascent, "summed", lambda *arguments: failing)
    with pytest.raises(ZeroDivisionError):
        ascent.ascend(network, LAYER, starts(1), named("lab"), (32, 32))
    assert not [part for part in network.module.modules() if part._forward_hooks]


def test_out_of_memory_halves_the_batch_and_goes_on(network, monkeypatch):
    attempted, real = [], ascent._attempt

    def small_memory(network, layer, units, *arguments, **options):
        attempted.append(len(units))
        if len(units) > 2:
            raise torch.cuda.OutOfMemoryError
        return real(network, layer, units, *arguments, **options)

    monkeypatch.setattr(ascent, "_attempt", small_memory)
    told = []
    recipe = named("lab", steps=1, units_per_batch=8)
    found = ascent.ascend(network, LAYER, starts(0, 1, 2, 3), recipe, (32, 32), lambda *batch: told.append(batch))
    assert attempted == [4, 2, 2]
    assert [(first, made.channel.tolist()) for first, made in told] == [(0, [0, 1]), (2, [2, 3])]
    assert found.channel.tolist() == [0, 1, 2, 3]


class Dead(nn.Module):
    """Channel 0 lives; channel 1 is off for grey; channel 2 is off whatever one does, and so is its gradient."""

    def __init__(self):
        super().__init__()
        self.conv, self.layer = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True)
        self.conv.weight.data = torch.tensor([1.0, 1.0, 0.0])[:, None, None, None].expand(3, 3, 1, 1).clone()
        self.conv.bias.data = torch.tensor([5.0, -2.5, -1.0])

    def forward(self, x):
        return self.layer(self.conv(x))


def test_dead_units_climb_the_ladder_and_living_ones_stay():
    data = models.DataConfig((3, 8, 8), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    network = models.Network(Dead().eval().requires_grad_(False), {}, "", data)
    layer = LayerSpec("layer", "bchw", 3, 8, 8, 1, 1, 0)
    recipe = named("lab", steps=20, keep_every=10, units_per_batch=3)
    found = ascent.ascend(network, layer, starts(0, 1, 2), recipe, (8, 8))
    assert found.attempt.tolist() == [0, 2, 3]
    assert found.curve.shape == (3, 21)
    assert found.curve[1, -1] > 0 == found.curve[1, 0]
    assert found.curve[2].tolist() == [0.0] * 21
    assert found.step.tolist() == [10, 20]
    never = ascent.ascend(network, layer, starts(1), dataclasses.replace(recipe, retries=0), (8, 8))
    assert never.attempt.tolist() == [0]


def test_pictures_that_only_grow_less_alike_are_as_dead_as_one_alone():
    data = models.DataConfig((3, 8, 8), (0.5,) * 3, (0.5,) * 3, "bicubic", 1.0, "center")
    network = models.Network(Dead().eval().requires_grad_(False), {}, "", data)
    layer = LayerSpec("layer", "bchw", 3, 8, 8, 1, 1, 0)
    together = {"objective": (("mean", 1.0), ("similarity", -100.0)), "variants": 2, "units_per_batch": 4}
    recipe = named("lab", steps=20, keep_every=0, **together)
    seeds = {variant: tuple(range(10 * variant, 10 * variant + 4)) for variant in (1, 2)}
    units = [ascent.UnitStart(channel, seeds[variant]) for channel in (0, 2) for variant in seeds]
    found = ascent.ascend(network, layer, units, recipe, (8, 8))
    assert found.attempt.tolist() == [0, 0, 3, 3]
    assert found.curve[2:].tolist() == [[0.0] * 21] * 2
    assert found.curve[0, -1] > found.curve[0, 0]


@pytest.mark.parametrize("name", ["lab", "lucid", "konvolut", "timm-vis"])
def test_steps_send_nothing_from_the_cpu_but_the_first_one(lean, monkeypatch, name):
    """On a GPU each tensor that is made of numbers is a copy that the step waits for."""
    sent, real = [], torch.tensor
    monkeypatch.setattr(torch, "tensor", lambda *given, **how: sent.append(given) or real(*given, **how))

    def count(steps):
        sent.clear()
        recipe = named(name, steps=steps, keep_every=0, retries=0, coarse_steps=0)
        ascent.ascend(lean, LAYER, starts(0, 1), recipe, (32, 32))
        return len(sent)

    count(2)
    assert count(2) == count(9)


def test_the_cosine_schedule_falls_from_the_whole_to_a_twentieth():
    recipe = named("konvolut", learning_rate=0.2, steps=100)
    rates = [steps.rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[50] == pytest.approx(0.2 * (0.05 + 0.95 / 2))
    assert rates[100] == pytest.approx(0.01)
    assert rates == sorted(rates, reverse=True)


def test_coarse_steps_are_for_layers_that_see_the_whole_picture():
    recipe = named("konvolut", coarse_px=128)
    wide, narrow = (dataclasses.replace(LAYER, receptive_field_px=px) for px in (400, 100))
    assert ascent.coarse_size(wide, recipe, (224, 224)) == (128, 128)
    assert ascent.coarse_size(wide, recipe, (256, 131)) == (128, 66)
    assert ascent.coarse_size(narrow, recipe, (224, 224)) is None
    assert ascent.coarse_size(wide, recipe, (128, 96)) is None


def test_the_model_sees_the_warped_picture_of_the_step(network, monkeypatch):
    seen = []
    monkeypatch.setattr(climb, "warp", lambda *arguments: seen.append(arguments[1]) or transforms.warp(*arguments))
    recipe = named("lucid", steps=2, keep_every=0, retries=0)
    ascent.ascend(network, LAYER, starts(0, 1), recipe, (32, 32))
    for index, unit in enumerate(starts(0, 1)):
        generator = torch.Generator().manual_seed(unit.seeds[0])
        torch.randn(3, 32, 17, 2, generator=generator)  # the start's own draw
        expected = transforms.draw(recipe.transforms, 3, generator)
        torch.testing.assert_close(torch.stack([matrices[index] for matrices in seen]), expected)
