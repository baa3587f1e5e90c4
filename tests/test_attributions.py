"""Attribution methods against their definitions written out: other ReLUs, means of noise and paths, hidden squares."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from konvolut.asked import loads, settings
from konvolut.asked.settings import ModelSource
from konvolut.network import models, planes
from konvolut.network.census import census
from konvolut.techniques import attributions, refusals, saliency
from konvolut.techniques.attributions import Question

TARGETS = torch.tensor([3, 700])


@pytest.fixture(scope="module")
def network():
    return models.build(ModelSource("m", "m", "test_resnet", "random:0"))


@pytest.fixture(scope="module")
def question(network):
    inputs = torch.randn(2, *network.data.input_size, generator=torch.Generator().manual_seed(0))
    g = saliency.gradient(network, inputs, TARGETS)
    return Question(network, inputs, TARGETS, g, (5, 6), refusals.last_map(census(network)))


def scores(network, inputs, targets):
    return network.module(inputs).gather(1, targets[:, None])[:, 0]


def test_every_method_of_the_configuration_is_there():
    assert {*attributions.OF_GRADIENT, *attributions.OF_MODEL} == set(settings.SALIENCY_METHODS)


class OtherReLU(torch.autograd.Function):
    """ReLU or ReLU6 forwards; backwards only what is positive, and under `guided` only where the input was.

    Nothing comes back from above the ceiling.
    """

    @staticmethod
    def forward(context, x, guided, ceiling):
        context.save_for_backward(x)
        context.guided, context.ceiling = guided, ceiling
        return x.clamp(0, ceiling)

    @staticmethod
    def backward(context, grad):
        (x,) = context.saved_tensors
        grad = grad.clamp(min=0) * (x <= context.ceiling)
        return (grad * (x > 0) if context.guided else grad), None, None


class Replaced(nn.Module):
    def __init__(self, guided, ceiling):
        super().__init__()
        self.guided, self.ceiling = guided, ceiling

    def forward(self, x):
        return OtherReLU.apply(x, self.guided, self.ceiling)


def with_replaced_relus(module, guided):
    changed = copy.deepcopy(module)
    for parent in list(changed.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU | nn.ReLU6):
                setattr(parent, name, Replaced(guided, 6 if isinstance(child, nn.ReLU6) else math.inf))
    return changed


# In the two after ResNet a shortcut also reads what goes into a ReLU; the last two have ReLU6.
RELU_MODELS = ["test_resnet", "vgg11", "resnet18", "legacy_xception", "nf_resnet26"]
RELU_MODELS += ["tf_efficientnet_lite0", "mobilenetv2_100"]


@pytest.mark.parametrize("timm_name", RELU_MODELS)
@pytest.mark.parametrize(("method", "guided"), [("guided_backpropagation", True), ("deconvnet", False)])
def test_other_relus_pass_back_what_the_papers_say(timm_name, method, guided):
    lean = (("mlp_ratio", 0.02),) if timm_name == "vgg11" else ()  # without most of 100 million weights
    network = models.build(ModelSource("m", "m", timm_name, "random:0", lean))
    inputs = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) if "vgg" not in timm_name else None
    inputs = torch.randn(1, 3, 224, 224) if inputs is None else inputs
    targets = TARGETS[: len(inputs)]
    assert refusals.refusal(network, method, census(network)) == ""
    question = Question(network, inputs, targets, torch.zeros_like(inputs), (), "")
    found = attributions.attribute(method, question)
    leaf = inputs.clone().requires_grad_()
    changed = models.Network(with_replaced_relus(network.module, guided), {}, "", network.data)
    (expected,) = torch.autograd.grad(scores(changed, leaf, targets).sum(), leaf)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    plain = saliency.gradient(network, inputs, targets)
    assert not torch.allclose(found, plain, rtol=1e-2, atol=1e-2 * float(plain.abs().max()))


def test_gradient_x_input_is_the_product(question):
    expected = (question.gradient * question.inputs).sum(1)
    assert torch.equal(attributions.attribute("gradient_x_input", question), expected)


def test_smoothgrad_is_the_mean_gradient_of_noisy_copies(question, network, monkeypatch):
    # The same noise, drawn as Captum does, and the mean taken before the absolute value.
    found = attributions.attribute("smoothgrad", question)
    for row, seed in enumerate(question.seeds):
        one = question.inputs[row : row + 1]
        torch.manual_seed(seed)
        deviation = attributions.NOISE_SHARE * float(one.max() - one.min())
        gradients = []
        for _ in range(attributions.NOISY_COPIES // attributions.INPUTS_PER_PASS):
            many = one.repeat_interleave(attributions.INPUTS_PER_PASS, 0)
            noisy = torch.normal(many, deviation)
            targets = TARGETS[row].expand(len(noisy))
            gradients.append(saliency.gradient(network, noisy, targets))
        expected = torch.cat(gradients).mean(0).abs().amax(0)
        assert torch.allclose(found[row], expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def test_random_maps_leave_the_global_generator_alone(question):
    torch.manual_seed(3)
    attributions.attribute("smoothgrad", question)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))


def test_integrated_gradients_sum_to_the_difference_of_the_scores(question, network):
    found = attributions.attribute("integrated_gradients", question)
    black = planes.normalise(network, torch.zeros(1, 3, 160, 160)).expand(2, -1, -1, -1)
    with torch.no_grad():
        difference = scores(network, question.inputs, TARGETS) - scores(network, black, TARGETS)
    assert torch.allclose(found.sum((1, 2)), difference, rtol=0.05, atol=0.02)


def test_integrated_gradients_are_the_mean_gradient_of_the_way_from_black_times_its_length(question, network):
    """The integral by Gauss and Legendre's nodes, one gradient at a time, within 1e-4 of the largest cell."""
    found = attributions.attribute("integrated_gradients", question)
    nodes, weights = np.polynomial.legendre.leggauss(attributions.PATH_STEPS)
    black = planes.normalise(network, torch.zeros(1, 3, 160, 160))
    for row in range(2):
        way = question.inputs[row : row + 1] - black
        mean = torch.zeros_like(way)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):  # from -1..1 to 0..1
            mean += weight * saliency.gradient(network, black + node * way, TARGETS[row : row + 1])
        expected = (mean * way).sum(1)[0]
        assert torch.allclose(found[row], expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_grad_cam_weighs_the_last_map_by_its_mean_gradient(question, network):
    assert question.last_map == "layer4"
    kept = []
    handle = network.module.layer4.register_forward_hook(lambda m, _, output: kept.append(output))
    with torch.enable_grad():
        logits = network.module(question.inputs.clone().requires_grad_())
    handle.remove()
    (g,) = torch.autograd.grad(logits.gather(1, TARGETS[:, None]).sum(), kept[0])
    coarse = (g.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).clamp(min=0)
    expected = F.interpolate(coarse.detach(), (160, 160), mode="bilinear")[:, 0]
    found = attributions.attribute("grad_cam", question)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert found.max() > 0


def test_occlusion_is_the_fall_of_the_score_averaged_over_the_squares_that_hide_a_pixel(question, network):
    found = attributions.attribute("occlusion", question)
    side = 160 // attributions.HIDDEN_SHARE
    stride = side // 2
    count = -(-(160 - side) // stride) + 1
    with torch.no_grad():
        before = scores(network, question.inputs[:1], TARGETS[:1])
        total, times = torch.zeros(160, 160), torch.zeros(160, 160)
        for i, j in np.ndindex(count, count):
            place = (slice(i * stride, i * stride + side), slice(j * stride, j * stride + side))
            hidden = question.inputs[:1].clone()
            hidden[0, :, place[0], place[1]] = 0
            total[place] += before - scores(network, hidden, TARGETS[:1])
            times[place] += 1
    assert (times > 0).all()
    assert torch.allclose(found[0], total / times, rtol=1e-3, atol=1e-5)


def test_nothing_stays_on_the_model_also_after_an_exception(question, network):
    wrong = Question(network, question.inputs[:, :1], TARGETS, question.gradient, (), "")
    for method in refusals.OWN_RELUS:
        with pytest.raises(RuntimeError):
            attributions.attribute(method, wrong)
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.module.modules())


@pytest.mark.parametrize("method", settings.SALIENCY_METHODS)
def test_maps_have_a_plane_per_colour_where_the_plan_counts_three(question, method):
    shape = attributions.attribute(method, question).shape
    assert shape == ((2, loads.COLOURS, 160, 160) if method in loads.IN_COLOURS else (2, 160, 160))


@pytest.mark.parametrize("method", attributions.OF_MODEL)
def test_nothing_stays_on_the_model(question, network, method):
    attributions.attribute(method, question)
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.module.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.module.parameters())
    assert any(getattr(part, "inplace", False) for part in network.module.modules())
    assert not any(isinstance(part, attributions.Ceiling) for part in network.module.modules())


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients", "occlusion"])
def test_a_map_does_not_depend_on_batch_mates(question, network, method):
    both = attributions.attribute(method, question)
    alone = Question(network, question.inputs[1:], TARGETS[1:], question.gradient[1:], (6,), question.last_map)
    assert torch.equal(attributions.attribute(method, alone)[0], both[1])


# ---- refusals


@pytest.mark.parametrize(
    ("timm_name", "sentence"),
    [
        ("test_efficientnet", "SiLU"),
        ("test_mambaout", "GELU"),
        ("mobilenetv3_small_100", "Hardswish"),
        ("test_vit", "GELU"),
    ],
)
def test_models_without_relus_are_refused_by_the_name_of_their_activation(timm_name, sentence):
    network = models.build(ModelSource("m", "m", timm_name, "random:0"))
    for method in refusals.OWN_RELUS:
        assert sentence in refusals.refusal(network, method, census(network))


class Two(nn.Module):
    def __init__(self, second):
        super().__init__()
        self.first, self.second, self.conv = nn.ReLU(inplace=True), second, nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.first(self.conv(x))
        x = self.second(self.conv(x)) if self.second else self.first(self.conv(x))
        return x.mean((2, 3))


class AsFunction(nn.Module):
    def forward(self, x):
        return F.relu(x)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (Two(None), r"'first'.*called 2 times"),
        (Two(AsFunction()), "as a function"),
        (Two(nn.Hardswish()), "Hardswish"),
        (nn.Conv2d(3, 3, 1), "has none"),
    ],
    ids=["reused", "functional", "another", "none"],
)
def test_relus_that_no_hook_reaches_are_refused_and_not_silently_plain(module, sentence):
    data = models.DataConfig((3, 8, 8), (0,) * 3, (1,) * 3, "bicubic", 1.0, "center")
    network = models.Network(module.eval(), {}, "", data)
    for method in refusals.OWN_RELUS:
        reason = refusals.refusal(network, method, None)
        assert re.search(sentence, reason), reason


def test_grad_cam_is_refused_where_the_last_maps_are_tokens():
    network = models.build(ModelSource("m", "m", "test_vit", "random:0"))
    assert "tokens" in refusals.refusal(network, "grad_cam", census(network))
