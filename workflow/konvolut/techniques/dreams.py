"""DeepDreams: photographs, at their own aspect, changed until they excite a channel."""

from collections.abc import Callable
from pathlib import Path

from konvolut import provenance
from konvolut.asked.shards import DreamsShard
from konvolut.asked.sheets import Photograph
from konvolut.network.models import Network
from konvolut.network.photographs import at_own_aspect
from konvolut.pictures import images
from konvolut.pictures.ascent import UnitStart, ascend
from konvolut.results.part import Part
from konvolut.techniques.channels import attempt_seeds, fitting, open_layers, passport_of


def render(
    shard: DreamsShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the dreams of a shard's photographs for its channels to `output` (store.py draws it)."""
    network, layers = open_layers(shard, census)
    photographs = provenance.photographs_sha256(shard.photographs)
    passport = passport_of(network, "dreams", shard, longest_side_px=shard.longest_side_px, photographs=photographs)
    units = [(photograph.key, channel) for photograph in shard.photographs for channel in shard.channels]
    part = Part(output, "dreams", passport, units, progress)
    for photograph in shard.photographs:
        dream(shard, photograph, network, layers, part)
    part.finish()


def dream(shard: DreamsShard, photograph: Photograph, network: Network, layers: list, part: Part) -> None:
    """Make the dreams of one photograph that are missing in `part`."""
    picture = at_own_aspect(network, layers[0], images.read(photograph.path), shard.longest_side_px)
    starts = {
        (photograph.key, channel): UnitStart(channel, dream_seeds(shard, channel, photograph.id), picture)
        for channel in shard.channels
    }
    size = picture.shape[:2]
    recipe = fitting(shard.recipe, network, layers[0], size)
    part.climb(starts, lambda left, keep: ascend(network, layers, left, recipe, size, keep))


def dream_seeds(shard: DreamsShard, channel: int, photograph: str) -> tuple[int, ...]:
    """Seeds of one dream, by channel and photograph alone."""
    return attempt_seeds(shard.seed, shard.model.id, shard.layer, channel, "dreams", photograph)
