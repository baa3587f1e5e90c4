"""Photographs as a model sees them: files -> 8-bit pictures of its input size -> batches of inputs."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from konvolut.asked.censuses import LayerSpec
from konvolut.errors import UserError
from konvolut.network.memory import Halving
from konvolut.network.models import Network
from konvolut.network.planes import denormalise, normalise
from konvolut.network.shapes import takes
from konvolut.pictures import crops, images

Made = TypeVar("Made")

LARGEST_8_BIT = 255
# What sides are rounded to until a model takes them: 1 is their own length; 128 px suits blocks of 8 cells of 16 px.
SIDE_MULTIPLES_PX = (1, 32, 64, 128)
# One size for every pass, the last one filled up with copies: a library may choose another kernel for another batch
# size, and then the bits of a photograph would depend on how the set was cut into shards.
BATCH = {"cpu": 4}  # beyond 4 a CPU gains nothing, and a gradient of lite0 takes 80 MB for each picture
GPU_BATCH = 32
# Photographs that wait decoded, beside those being decoded: two batches of a GPU, some 10 MB.
AHEAD = 2 * GPU_BATCH
# A drafted JPEG keeps this many times the pixels that the model's transform shrinks it to, so that it is still shrunk.
DRAFT_REDUNDANCY = 2


@dataclass(frozen=True)
class Seen:
    """A photograph with what the model sees of it, (H, W, 3) uint8, and the box (4,) of crops.fit."""

    photograph: object
    picture: np.ndarray
    box: tuple[float, ...]


def look_at(network: Network, photographs: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """What the model sees of each photograph, (n, H, W, 3) uint8, and the boxes (n, 4) of crops.fit."""
    seen = [look(network, photograph) for photograph in photographs]
    return np.stack([one.picture for one in seen]), np.asarray([one.box for one in seen], np.float32)


def look(network: Network, photograph, *, draft: bool = False) -> Seen:
    """What the model sees of a photograph; `draft` decodes large JPEGs at a fraction, see images.read."""
    data = network.data
    mean = data.mean if len(data.mean) == 3 else (data.mean[0],) * 3  # RGB
    fill = tuple(round(LARGEST_8_BIT * value) for value in mean)
    size = data.input_size[1:]
    shortest_px = round(DRAFT_REDUNDANCY * max(size) / data.crop_pct) if draft else None
    photo = images.read(photograph.path, shortest_px)
    return Seen(photograph, *crops.fit(photo, size, data.crop_pct, data.interpolation, data.crop_mode, fill))


def stream(
    network: Network, photographs: Iterable, *, draft: bool = False, left_out: Callable | None = None
) -> Iterator[Seen]:
    """What the model sees of photograph after photograph, in their order, decoded ahead by threads (Pillow lets go of
    Python's lock); only a few are in memory at any time.

    Of one that cannot be read `left_out(photograph, error)` is told; without it the UserError ends the stream.
    """
    waiting: deque[tuple[object, Future]] = deque()
    todo = iter(photographs)
    with ThreadPoolExecutor(images.decoders()) as decoders:
        while True:
            for photograph in itertools.islice(todo, AHEAD - len(waiting)):
                waiting.append((photograph, decoders.submit(look, network, photograph, draft=draft)))
            if not waiting:
                return
            photograph, future = waiting.popleft()
            try:
                yield future.result()
            except UserError as error:
                if left_out is None:
                    decoders.shutdown(cancel_futures=True)
                    raise
                left_out(photograph, error)


def batch_size(network: Network) -> int:
    """How many inputs every pass has."""
    return BATCH.get(network.device.type, GPU_BATCH)


def looked_at(
    network: Network, seen: Iterable[Seen], look: Callable[[list[Seen], Tensor], Made]
) -> Iterator[tuple[list[Seen], Made]]:
    """Photographs, batch by batch, and what `look(photographs, inputs)` makes of them.

    There are always as many inputs, of which the first ones are the photographs; out of memory, half as many.
    """
    batches, todo = Halving(batch_size(network)), iter(seen)

    def looked(part: list[Seen], size: int) -> tuple[list[Seen], Made]:
        return part, look(part, filled(network, np.stack([one.picture for one in part]), size))

    while group := list(itertools.islice(todo, batches.size)):
        for _, made in batches.over(group, looked):
            yield made


def batches(network: Network, pictures_u8: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """Rows and inputs of pictures (n, H, W, 3) uint8; always as many inputs, of which the first ones are the rows."""
    size = batch_size(network)
    for first in range(0, len(pictures_u8), size):
        rows = slice(first, min(first + size, len(pictures_u8)))
        yield rows, filled(network, pictures_u8[rows], size)


def filled(network: Network, pictures_u8: np.ndarray, size: int) -> Tensor:
    """`size` inputs, the first ones of pictures (n, H, W, 3) uint8, the others of copies of the last."""
    copies = np.repeat(pictures_u8[-1:], size - len(pictures_u8), axis=0)
    return as_inputs(network, np.concatenate([pictures_u8, copies]))


def as_inputs(network: Network, pictures_u8: np.ndarray) -> Tensor:
    """Model inputs (n, C, H, W) of pictures (n, H, W, 3) uint8, with channels last in memory as the pictures have."""
    pixels = torch.from_numpy(np.require(pictures_u8, requirements="W"))  # torch takes no memory that is read-only
    return normalise(network, pixels.to(network.device).permute(0, 3, 1, 2).float() / LARGEST_8_BIT)


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
    return crops.fit(photo, size, crop_pct=1.0, crop_mode="squash")[0]
