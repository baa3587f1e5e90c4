"""DeepDreams: photographs, at their own aspect, changed until they excite a channel."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from konvolut import images, store
from konvolut.ascent import UnitStart, ascend
from konvolut.channels import attempt_seeds, fitting, open_layer, passport_of
from konvolut.models import Network
from konvolut.shapes import takes
from konvolut.shards import DreamsShard, LayerSpec

# What sides are rounded to until a model takes them: 1 is their own length; 128 px suits blocks of 8 cells of 16 px.
SIDE_MULTIPLES_PX = (1, 32, 64, 128)


def render(
    shard: DreamsShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the dreams of a shard's photographs for its channels to `output` (store.py draws it)."""
    network, layer = open_layer(shard.model, census, shard.layer, shard.device)
    total = len(shard.photographs) * len(shard.channels)
    dreams = {}
    for photograph in shard.photographs:
        picture = start_picture(network, layer, images.read(photograph.path), shard.longest_side_px)
        units = [UnitStart(channel, dream_seeds(shard, channel, photograph.id), picture) for channel in shard.channels]
        tell = functools.partial(_tell, progress, len(dreams) * len(units), total)
        recipe = fitting(shard.recipe, network, layer, picture.shape[:2])
        dreams[photograph.key] = ascend(network, layer, units, recipe, picture.shape[:2], tell)
    passport = passport_of(network, "dreams", shard, longest_side_px=shard.longest_side_px)
    store.write_pictures(Path(output), "dreams", dreams, passport)


def dream_seeds(shard: DreamsShard, channel: int, photograph: str) -> tuple[int, ...]:
    """Seeds of one dream, by channel and photograph alone."""
    return attempt_seeds(shard.seed, shard.model.id, shard.layer, channel, "dreams", photograph)


def start_picture(network: Network, layer: LayerSpec, photo: np.ndarray, longest_side_px: int) -> np.ndarray:
    """The photograph (H, W, 3) uint8 at its own aspect, no side longer than asked.

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


def _tell(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)
