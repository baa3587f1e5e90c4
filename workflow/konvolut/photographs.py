"""Photographs as a model sees them: files -> 8-bit pictures of its input size -> batches of inputs."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut import images
from konvolut.models import Network, normalise

LARGEST_8_BIT = 255
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
        pixels = torch.from_numpy(part).to(network.device).permute(0, 3, 1, 2).float() / LARGEST_8_BIT
        yield rows, normalise(network, pixels)
