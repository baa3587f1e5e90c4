"""DeepDreams: photographs, at their own aspect, changed until they excite a channel."""

import functools
from collections.abc import Callable
from pathlib import Path

from konvolut.asked.shards import DreamsShard
from konvolut.network.photographs import at_own_aspect
from konvolut.pictures import images
from konvolut.pictures.ascent import UnitStart, ascend
from konvolut.results import store
from konvolut.techniques.channels import attempt_seeds, fitting, open_layers, passport_of


def render(
    shard: DreamsShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the dreams of a shard's photographs for its channels to `output` (store.py draws it)."""
    network, layers = open_layers(shard, census)
    layer = layers[0]
    total = len(shard.photographs) * len(shard.channels)
    dreams = {}
    for photograph in shard.photographs:
        picture = at_own_aspect(network, layer, images.read(photograph.path), shard.longest_side_px)
        units = [UnitStart(channel, dream_seeds(shard, channel, photograph.id), picture) for channel in shard.channels]
        tell = functools.partial(_tell, progress, len(dreams) * len(units), total)
        recipe = fitting(shard.recipe, network, layer, picture.shape[:2])
        dreams[photograph.key] = ascend(network, layers, units, recipe, picture.shape[:2], tell)
    passport = passport_of(network, "dreams", shard, longest_side_px=shard.longest_side_px)
    store.write_pictures(Path(output), "dreams", dreams, passport)


def dream_seeds(shard: DreamsShard, channel: int, photograph: str) -> tuple[int, ...]:
    """Seeds of one dream, by channel and photograph alone."""
    return attempt_seeds(shard.seed, shard.model.id, shard.layer, channel, "dreams", photograph)


def _tell(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)
