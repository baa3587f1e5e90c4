"""Kernels are the model's weights, nothing else."""

import numpy as np

from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import KernelsShard
from konvolut.network import models
from konvolut.results import contents, store
from konvolut.techniques import kernels

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")


def test_the_file_holds_the_weights_of_each_convolution(tmp_path):
    layers = ("conv_stem", "blocks.1.0.conv_exp", "conv_head")
    kernels.compute(KernelsShard(TINY, layers), tmp_path / "a.h5")
    found = store.read_named(tmp_path / "a.h5", contents.Kernels)
    module = models.build(TINY).module
    assert found.keys() == set(layers)
    for layer in layers:
        assert np.array_equal(found[layer].weight, module.get_submodule(layer).weight.numpy())
