"""Attribution methods: how much each pixel of an input moves the score of a class; the only door to Captum.

The score is the logit, never the probability (whose gradient also falls when another class rises), and the input is
the model's normalised one. From the signed gradient g (B, C, H, W) come

    vanilla                  max over C of |g|                      Simonyan et al. 2013, arXiv 1312.6034
    positive, negative       max over C of max(g, 0), of -min(g, 0)
    gradient                 g itself, in colours
    gradient_x_input         sum over C of g * input                Shrikumar et al. 2016, arXiv 1605.01713

and from further passes

    guided_backpropagation   g, each ReLU passing only what is > 0  Springenberg et al. 2014, arXiv 1412.6806
                             forwards and backwards
    deconvnet                g, each ReLU passing only what is > 0  Zeiler and Fergus 2013, arXiv 1311.2901
                             backwards
    smoothgrad               vanilla of the mean g of noisy inputs  Smilkov et al. 2017, arXiv 1706.03825
    integrated_gradients     sum over C of the mean g from black    Sundararajan et al. 2017, arXiv 1703.01365
                             to the input, times their difference
    grad_cam                 the last map's channels, weighted by   Selvaraju et al. 2016, arXiv 1610.02391
                             their mean gradient; ReLU
    occlusion                the fall of the score when a grey      Zeiler and Fergus 2013
                             square hides a place
"""

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator

import torch
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from torch import Tensor, nn

from konvolut.network.models import Network
from konvolut.network.planes import normalise

NOISY_COPIES = 50  # Smilkov et al.: more gains little
NOISE_SHARE = 0.15  # of the input's range; Smilkov et al. recommend .1 to .2
PATH_STEPS = 50  # Captum's default; the sum of the map is then within a few percent of the difference of the scores
HIDDEN_SHARE = 7  # the square's side is the input's divided by this: 32 px of 224
INPUTS_PER_PASS = 5  # a gradient of lite0 takes 80 MB for each


@dataclasses.dataclass(frozen=True)
class Question:
    """What is to be explained: the logits targets (B,) of inputs (B, C, H, W), whose gradient is known.

    The first len(seeds) inputs matter, the others fill up the batch; `last_map` names the layer for Grad-CAM.
    """

    network: Network
    inputs: Tensor
    targets: Tensor
    gradient: Tensor
    seeds: tuple[int, ...]
    last_map: str


def vanilla(g: Tensor) -> Tensor:
    return g.abs().amax(1)


def positive(g: Tensor) -> Tensor:
    return g.clamp(min=0).amax(1)


def negative(g: Tensor) -> Tensor:
    return (-g).clamp(min=0).amax(1)


def in_colours(g: Tensor) -> Tensor:
    return g


def gradient_x_input(question: Question) -> Tensor:
    return (question.gradient * question.inputs).sum(1)


def guided_backpropagation(question: Question) -> Tensor:
    return _with_other_relus(GuidedBackprop, question)


def deconvnet(question: Question) -> Tensor:
    return _with_other_relus(Deconvolution, question)


def smoothgrad(question: Question) -> Tensor:
    tunnel = NoiseTunnel(Saliency(question.network.module))

    def smooth(one: Tensor, target: Tensor, seed: int) -> Tensor:
        deviation = NOISE_SHARE * float(one.max() - one.min())
        with torch.random.fork_rng():  # Captum draws from the global generator
            torch.manual_seed(seed)
            options = {"nt_samples": NOISY_COPIES, "nt_samples_batch_size": INPUTS_PER_PASS, "stdevs": deviation}
            return vanilla(tunnel.attribute(one, target=target, abs=False, **options))

    return _one_by_one(smooth, question)


def integrated_gradients(question: Question) -> Tensor:
    integral = IntegratedGradients(question.network.module)
    colours = torch.zeros(1, 3, *question.inputs.shape[2:], device=question.inputs.device)
    black = normalise(question.network, colours)

    def integrate(one: Tensor, target: Tensor, seed: int) -> Tensor:
        options = {"n_steps": PATH_STEPS, "internal_batch_size": INPUTS_PER_PASS}
        return integral.attribute(one, black, target, **options).sum(1)

    return _one_by_one(integrate, question)


def grad_cam(question: Question) -> Tensor:
    layer = question.network.module.get_submodule(question.last_map)
    inputs = question.inputs.detach().requires_grad_()
    coarse = LayerGradCam(question.network.module, layer).attribute(inputs, question.targets, relu_attributions=True)
    return LayerAttribution.interpolate(coarse.detach(), tuple(inputs.shape[2:]), "bilinear")[:, 0]


def occlusion(question: Question) -> Tensor:
    hidden = Occlusion(question.network.module)
    channels, *sides = question.inputs.shape[1:]
    window = (channels, *(max(1, side // HIDDEN_SHARE) for side in sides))
    strides = (channels, *(max(1, side // 2) for side in window[1:]))

    def hide(one: Tensor, target: Tensor, seed: int) -> Tensor:
        # 0 is the mean colour of the photographs that the model was trained on.
        options = {"baselines": 0, "perturbations_per_eval": INPUTS_PER_PASS}
        return hidden.attribute(one, window, strides, target=target, **options)[:, 0]

    with torch.no_grad():
        return _one_by_one(hide, question)


OF_GRADIENT: dict[str, Callable[[Tensor], Tensor]] = {
    "vanilla": vanilla,
    "positive": positive,
    "negative": negative,
    "gradient": in_colours,
}
OF_MODEL: dict[str, Callable[[Question], Tensor]] = {
    "guided_backpropagation": guided_backpropagation,
    "deconvnet": deconvnet,
    "gradient_x_input": gradient_x_input,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
}


def attribute(method: str, question: Question) -> Tensor:
    """The maps of a method: (B, H, W), or (B, C, H, W) for those in colours."""
    if method in OF_GRADIENT:
        return OF_GRADIENT[method](question.gradient)
    return OF_MODEL[method](question).detach()


@contextlib.contextmanager
def out_of_place(module: nn.Module) -> Iterator[None]:
    """Within the block activations keep their inputs; changing them in place would change what Captum hooks into."""
    changed = [part for part in module.modules() if getattr(part, "inplace", False)]
    try:
        for part in changed:
            part.inplace = False
        yield
    finally:
        for part in changed:
            part.inplace = True


class Ceiling(nn.Module):
    """What ReLU6 does beside ReLU: nothing passes 6, forwards or backwards."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(max=6)


@contextlib.contextmanager
def relu6_apart(module: nn.Module) -> Iterator[None]:
    """Within the block each ReLU6 is a ReLU, the only module whose gradient Captum changes, and a ceiling after it."""
    found = [(parent, name, part) for parent in module.modules() for name, part in parent.named_children()]
    changed = [(parent, name, part) for parent, name, part in found if isinstance(part, nn.ReLU6)]
    try:
        for parent, name, _ in changed:
            setattr(parent, name, nn.Sequential(nn.ReLU(), Ceiling()))
        yield
    finally:
        for parent, name, part in changed:
            setattr(parent, name, part)


@contextlib.contextmanager
def own_inputs(module: nn.Module) -> Iterator[None]:
    """Within the block no ReLU shares its input with another reader, as a shortcut around it does.

    Captum replaces the gradient of a ReLU's input tensor, and so would replace that of the other readers too.
    Hooks set within the block see the copies.
    """
    relus = [part for part in module.modules() if isinstance(part, nn.ReLU)]
    handles = []
    try:
        for part in relus:
            handles.append(part.register_forward_pre_hook(lambda m, given: (given[0].clone(),)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _with_other_relus(kind: type, question: Question) -> Tensor:
    module = question.network.module
    inputs = question.inputs.detach().requires_grad_()
    with relu6_apart(module), out_of_place(module), own_inputs(module), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum says that it sets hooks
        return kind(module).attribute(inputs, question.targets)


def _one_by_one(explain: Callable[[Tensor, Tensor, int], Tensor], question: Question) -> Tensor:
    """Each input alone, so that its map does not depend on its batch-mates."""
    rows = [
        explain(question.inputs[row : row + 1].detach(), question.targets[row : row + 1], seed)
        for row, seed in enumerate(question.seeds)
    ]
    return torch.cat(rows)
