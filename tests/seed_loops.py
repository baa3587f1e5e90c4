"""The seeds' formulas written plainly, as their authors have them: whole models, hooks, one picture at a time."""

import copy
import functools

import numpy as np
import torch

from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.network import models

STEPS = 20  # of which curves and pictures are compared


@functools.lru_cache(maxsize=2)  # VGG's weights take half a gigabyte and seconds to draw
def built(timm_name: str) -> models.Network:
    """The seed's architecture with random weights: its own are a download."""
    return models.build(ModelSource(timm_name, timm_name, timm_name, "random:0"))


def with_offsets(timm_name: str) -> models.Network:
    """The same with random offsets too: where all are 0, ReLUs let no gradient through to a picture of zeros."""
    network, generator = copy.deepcopy(built(timm_name)), torch.Generator().manual_seed(0)
    for name, values in network.module.named_parameters():
        if name.endswith("bias"):
            values.copy_(0.1 * torch.randn(values.shape, generator=generator))
    return network


def layer_of(network: models.Network, name: str) -> LayerSpec:
    """A layer that puts out (B, C, H, W); its sizes do not matter here."""
    return LayerSpec(name, "bchw", 1, 1, 1, 1, 10_000, 0)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Blobs of colour (H, W, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]


def as_tensor(network: models.Network, picture: np.ndarray) -> torch.Tensor:
    """ToTensor and Normalize: (1, 3, H, W)."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (network.data.mean, network.data.std))
    return ((torch.tensor(picture).permute(2, 0, 1) / 255 - mean) / std)[None]


def as_u8(network: models.Network, image: torch.Tensor) -> np.ndarray:
    """The notebook's tensor2img, but rounded: (H, W, 3) uint8."""
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (network.data.mean, network.data.std))
    pixels = (image.detach() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8)[0].permute(1, 2, 0).numpy()


def alive(network: models.Network, name: str, number: int, image: torch.Tensor) -> int:
    """The first channel from `number` on that the image excites: under random weights others are dead than there."""
    kept, handle = hooked(network.module, name)
    with torch.no_grad():
        network.module.forward_features(image)
    handle.remove()
    excited = (kept[0][0].amax((1, 2)) > 0).nonzero()[:, 0]
    return int(excited[excited >= number][0])


def hooked(module: torch.nn.Module, name: str) -> tuple[list, object]:
    """The notebook's list of activations and its handle."""
    kept = []
    handle = module.get_submodule(name).register_forward_hook(lambda m, inputs, output: kept.append(output))
    return kept, handle
