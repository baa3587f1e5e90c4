"""Photographs as a model sees them: files -> 8-bit pictures of its input size -> batches of inputs."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut.asked.shards import LayerSpec
from konvolut.network.models import Network, denormalise, normalise
from konvolut.network.shapes import takes
from konvolut.pictures import images

LARGEST_8_BIT = 255
# What sides are rounded to until a model takes them: 1 is their own length; 128 px suits blocks of 8 cells of 16 px.
SIDE_MULTIPLES_PX = (1, 32, 64, 128)
# One size for every pass, the last one filled up with copies: a library may choose another kernel for another batch
# size, and then the bits of a photograph would depend on how the set was cut into shards.
BATCH = {"cpu": 4}  # beyond 4 a CPU gains nothing, and a gradient of lite0 takes 80 MB for each picture
GPU_BATCH = 32


def look_at(network: Network, photographs: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """What the model sees of each photograph, (n, H, W, 3) uint8, and the boxes (n, 4) of images.fit."""
    data = network.data
    mean = data.mean if len(data.mean) == 3 else (data.mean[0],) * 3  # RGB
    fill = tuple(round(LARGEST_8_BIT * value) for value in mean)
    size = data.input_size[1:]
    seen = [
        images.fit(images.read(photograph.path), size, data.crop_pct, data.interpolation, data.crop_mode, fill)
        for photograph in photographs
    ]
    pictures, boxes = zip(*seen, strict=True)
    return np.stack(pictures), np.asarray(boxes, np.float32)


def batches(network: Network, pictures_u8: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """Rows and inputs of pictures (n, H, W, 3) uint8; always as many inputs, of which the first ones are the rows."""
    size = BATCH.get(network.device.type, GPU_BATCH)
    for first in range(0, len(pictures_u8), size):
        rows = slice(first, min(first + size, len(pictures_u8)))
        part = pictures_u8[rows]
        part = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        yield rows, as_inputs(network, part)


def as_inputs(network: Network, pictures_u8: np.ndarray) -> Tensor:
    """Model inputs (n, C, H, W) of pictures (n, H, W, 3) uint8."""
    pixels = torch.from_numpy(pictures_u8).to(network.device).permute(0, 3, 1, 2).float() / LARGEST_8_BIT
    return normalise(network, pixels)


def as_pictures(network: Network, inputs: Tensor) -> np.ndarray:
    """Pictures (n, H, W, 3) uint8 of model inputs; what lies outside of 0..1 is clipped."""
    pixels = denormalise(network, inputs.detach()).clamp(0, 1) * LARGEST_8_BIT
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def at_own_aspect(network: Network, layer: LayerSpec, photo: np.ndarray, longest_side_px: int) -> np.ndarray:
    """The photograph (H, W, 3) uint8 at its own aspect, no side longer than asked, as the network takes it to `layer`.

    Its sides are rounded for a model that takes whole multiples only; a model of one size gets that size.
    """
    shrunk = images.shrink(photo, longest_side_px)
    for multiple in SIDE_MULTIPLES_PX:
        size = tuple(max(1, round(side / multiple)) * multiple for side in shrunk.shape[:2])
        if takes(network, layer, size):
            return shrunk if size == shrunk.shape[:2] else _squashed(photo, size)
    return _squashed(photo, network.data.input_size[1:])


def _squashed(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return images.fit(photo, size, crop_pct=1.0, crop_mode="squash")[0]
