"""Caricatures: from noise, pictures that have more of what a layer sees in a photograph (lucid's caricatures)."""

from collections.abc import Callable
from pathlib import Path

from konvolut.asked.shards import LayerShard
from konvolut.techniques import layer_dreams


def render(
    shard: LayerShard, census: Path, output: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write the caricatures of a shard's photographs to `output` (store.py draws it)."""
    layer_dreams.write(shard, census, output, progress, technique="caricature", from_noise=True)
