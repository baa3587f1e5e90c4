"""Saliency: the gradient against finite differences and Captum, the maps against their definitions written as loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from torch import nn

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource, Photograph
from konvolut.errors import UserError
from konvolut.network import census, classes, models, planes
from konvolut.pictures import images
from konvolut.results import store
from konvolut.techniques import attributions, saliency


def source(timm_name: str = "test_resnet", **options) -> ModelSource:
    return ModelSource(id="m", key="m", timm_name=timm_name, weights="random:0", options=tuple(options.items()))


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "rgb"])
def network(request):
    return models.build(source(in_chans=request.param))


@pytest.fixture
def inputs(network):
    return torch.randn(2, *network.data.input_size, generator=torch.Generator().manual_seed(0))


def test_the_gradient_agrees_with_finite_differences():
    # A smooth activation: across the corner of a ReLU a finite difference is no derivative.
    network = models.build(source("test_mambaout"))
    network.module.double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, *network.data.input_size, generator=generator, dtype=torch.float64)
    target = torch.tensor([7])
    g = saliency.gradient(network, x, target)
    step = 1e-5  # double precision: truncation ~ step^2, rounding ~ 1e-16 / step
    for _ in range(8):
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            up, down = (network.module(x + sign * step * direction)[0, 7] for sign in (1, -1))
        assert float((g * direction).sum()) == pytest.approx(float(up - down) / (2 * step), rel=1e-6)


def test_the_gradient_agrees_with_captum(network, inputs):
    targets = torch.tensor([3, 999])
    by_captum = Saliency(network.module).attribute(inputs.clone().requires_grad_(), targets, abs=False)
    assert torch.allclose(saliency.gradient(network, inputs, targets), by_captum, rtol=1e-5, atol=1e-9)


def test_the_maps_are_their_definitions(network, inputs):
    g = saliency.gradient(network, inputs, torch.tensor([3, 4]))
    values = g.numpy()
    for b, y, x in np.ndindex(2, 160, 160):
        if (y * 160 + x) % 997 == 0:
            channels = values[b, :, y, x]
            assert attributions.vanilla(g)[b, y, x] == max(abs(v) for v in channels)
            assert attributions.positive(g)[b, y, x] == max(max(v, 0) for v in channels)
            assert attributions.negative(g)[b, y, x] == max(-min(v, 0) for v in channels)


def test_positive_and_negative_come_from_the_signed_gradient_and_vanilla_is_the_larger(network, inputs):
    g = saliency.gradient(network, inputs, torch.tensor([3, 4]))
    positive, negative = attributions.positive(g), attributions.negative(g)
    assert (positive > 0).any()
    assert (negative > 0).any()
    assert torch.equal(attributions.vanilla(g), torch.maximum(positive, negative))


def test_the_score_is_the_logit_not_the_probability():
    # Two classes whose logits move together: the probabilities stay, the logits do not.
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    nn.init.constant_(module[1].weight, 0.5)
    data = models.DataConfig((3, 2, 2), (0,) * 3, (1,) * 3, "bicubic", 1.0, "center")
    g = saliency.gradient(models.Network(module, {}, "", data), torch.zeros(1, 3, 2, 2), torch.tensor([1]))
    assert torch.equal(g, torch.full((1, 3, 2, 2), 0.5))


def test_batch_mates_do_not_mix(network, inputs):
    targets = torch.tensor([3, 4])
    alone = saliency.gradient(network, inputs[1:], targets[1:])
    assert torch.allclose(saliency.gradient(network, inputs, targets)[1:], alone, rtol=1e-4, atol=1e-8)


def test_several_targets_are_each_their_own_gradient(network, inputs):
    targets = torch.tensor([[3, 8], [4, 9]])
    found = saliency.explain(network, inputs, lambda logits: targets).gradients
    for k in range(2):
        assert torch.allclose(found[k], saliency.gradient(network, inputs, targets[:, k]), rtol=1e-5, atol=1e-9)


def test_nothing_stays_on_the_model_also_after_an_exception(network, inputs):
    with pytest.raises(RuntimeError):
        saliency.gradient(network, inputs[:, :, :0], torch.tensor([0, 0]))
    saliency.gradient(network, inputs, torch.tensor([3, 4]))
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.module.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.module.parameters())


NAMES = ["tench, Tinca tinca", "tabby, tabby cat", "crane (2)", "crane (3)", "tiger cat"]


@pytest.mark.parametrize(
    ("target", "number"), [(3, 3), ("tabby", 1), ("Tabby Cat", 1), ("crane (3)", 3), ("tench, Tinca tinca", 0)]
)
def test_a_class_is_found_by_number_name_or_one_of_its_words(target, number):
    assert classes.class_number(target, NAMES, "here") == number


@pytest.mark.parametrize(
    ("target", "sentence"),
    [(5, r"not in 0\.\.4"), (-1, r"not in 0\.\.4"), ("tabbi", "no class.*'tabbi'; nearest: 'tabby'"), ("", "no class")],
)
def test_a_class_that_is_not_there_gets_a_sentence(target, sentence):
    with pytest.raises(UserError, match=sentence):
        classes.class_number(target, NAMES, "here")


def test_a_word_of_several_classes_names_them_all():
    with pytest.raises(UserError, match=r"several classes; possible: 0 \(a, same\), 1 \(b, same\)"):
        classes.class_number("same", ["a, same", "b, same"], "here")


@pytest.mark.parametrize(
    ("targets", "top", "expected"),
    [
        (("predicted",), 1, [[4], [1]]),
        (("predicted",), 3, [[4, 0, 1], [1, 4, 3]]),
        (("tiger cat",), 2, [[4], [4]]),
        ((4, "predicted"), 1, [[4, 0], [1, 4]]),  # the given class was predicted: the next likeliest fills the place
        (("predicted", 2, 2), 9, [[4, 0, 1, 2, 3], [1, 4, 3, 0, 2]]),
    ],
)
def test_targets_are_the_likeliest_classes_then_the_given_ones_none_twice(targets, top, expected):
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0, 9.0], [1.0, 9.0, 0.0, 2.0, 3.0]])
    assert saliency.choose_targets(logits, targets, top, NAMES).tolist() == expected


def test_the_file_holds_what_was_asked_for(tmp_path):
    generator = np.random.default_rng(0)
    photographs = []
    for i in range(3):
        images.write_png(tmp_path / f"{i}.png", generator.integers(0, 256, (90, 120 + i, 3), dtype=np.uint8))
        photographs.append(Photograph(id=f"p{i}", key=f"p{i}", path=str(tmp_path / f"{i}.png")))
    told = []
    asked = {
        "methods": ("vanilla", "negative"),
        "targets": ("predicted", "tabby"),
        "top": 2,
        "seed": 0,
        "device": "cpu",
    }
    shard = shards.SaliencyShard(model=source(), photographs=tuple(photographs), **asked)
    census.write_census(census.census(models.build(source())), tmp_path / "layers.csv")
    saliency.compute(shard, tmp_path / "layers.csv", tmp_path / "s.h5", lambda done, total: told.append((done, total)))
    found = store.read_saliency(tmp_path / "s.h5")
    assert found.image == ["p0", "p1", "p2"]
    assert told[-1] == (3, 3)
    assert list(found.maps) == ["negative", "vanilla"]
    assert found.maps["vanilla"].shape == (3, 3, 160, 160)
    assert (found.target_class[:, 2] == 281).all()
    assert found.target_name[1][2] == "tabby, tabby cat"
    network = models.build(source())
    pixels = torch.from_numpy(found.input).permute(0, 3, 1, 2) / 255
    g = saliency.gradient(network, planes.normalise(network, pixels), torch.tensor(found.target_class[:, 1]))
    assert np.allclose(found.maps["negative"][:, 1], attributions.negative(g).numpy(), rtol=1e-3, atol=1e-7)
    probability = network.module(planes.normalise(network, pixels)).softmax(1).numpy()
    assert np.allclose(found.target_probability[:, 0], probability.max(1), rtol=1e-4)


def test_of_a_model_without_classes_there_is_nothing_to_explain(tmp_path):
    shown = [Photograph(key, key, str(tmp_path / f"{key}.png")) for key in ("a", "b")]
    for one in shown:
        images.write_png(Path(one.path), np.full((64, 64, 3), 128, np.uint8))
    census.write_census(census.census(models.build(source(num_classes=0))), tmp_path / "layers.csv")
    shard = shards.SaliencyShard(source(num_classes=0), tuple(shown), ("vanilla",), ("predicted",), 1, 0, "cpu")
    saliency.compute(shard, tmp_path / "layers.csv", tmp_path / "s.h5", lambda *_: None)
    found = store.read_saliency(tmp_path / "s.h5")
    assert (found.image, found.target_name, found.target_class.shape) == (["a", "b"], [[], []], (2, 0))
    assert (found.maps, found.refused) == ({}, {"vanilla": "the model has no classes"})


def test_a_class_of_a_model_without_classes_is_refused(tmp_path):
    shard = shards.SaliencyShard(source(num_classes=0), (), ("vanilla",), ("predicted", 3), 1, 0, "cpu")
    with pytest.raises(UserError, match="has no classes"):
        saliency.compute(shard, tmp_path / "layers.csv", tmp_path / "s.h5", print)
