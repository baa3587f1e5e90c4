"""Kernels: the weights of convolutions as they are, to be shown as pictures."""

from pathlib import Path

from konvolut import provenance
from konvolut.asked.shards import KernelsShard, told
from konvolut.network import models
from konvolut.results import contents, store


def compute(shard: KernelsShard, output: Path) -> None:
    """Write the weights of a model's convolutions."""
    network = models.build(shard.model)
    found = {
        layer: contents.Kernels(network.module.get_submodule(layer).weight.detach().cpu().numpy())
        for layer in shard.layers
    }
    facts = network.facts() | told(shard)
    passport = provenance.passport(technique="kernels", code=provenance.code_digest("techniques.kernels"), **facts)
    store.write_named(Path(output), "kernels", found, passport)
