"""Kernels: the weights of convolutions as they are, to be shown as pictures."""

from pathlib import Path

from konvolut import models, provenance, results, store
from konvolut.shards import KernelsShard, told


def compute(shard: KernelsShard, output: Path) -> None:
    """Write the weights of a model's convolutions."""
    network = models.build(shard.model)
    found = {
        layer: results.Kernels(network.module.get_submodule(layer).weight.detach().cpu().numpy())
        for layer in shard.layers
    }
    facts = network.facts() | told(shard)
    passport = provenance.passport(technique="kernels", code=provenance.code_digest("kernels"), **facts)
    store.write_named(Path(output), "kernels", found, passport)
