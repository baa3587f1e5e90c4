"""One small member of each architecture that people use most: everything works on it. All families: benchmarks/."""

import numpy as np
import pytest
import torch

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.network import models, shapes
from konvolut.network.census import census
from konvolut.network.record import record
from konvolut.network.streamline import streamlined
from konvolut.pictures import ascent
from konvolut.techniques import activations, saliency

# A model, and options that leave out repeated blocks, and most of the 100 million weights of VGG's first classifier.
MEMBERS = {
    "resnet": ("test_resnet", {}),
    "resnet, grey": ("resnet10t", {"in_chans": 1}),
    "resnet, 5 colours": ("resnet10t", {"in_chans": 5}),
    "resnet, 2 colours": ("test_resnet", {"in_chans": 2}),
    "vgg": ("vgg11", {"mlp_ratio": 0.02}),
    "vgg with batch normalisation": ("vgg11_bn", {"mlp_ratio": 0.02}),
    "resnext": ("resnext26ts", {}),
    "densenet": ("densenet121", {"block_config": (2, 2, 2, 2)}),
    "inception_v3": ("inception_v3", {}),
    "efficientnet": ("test_efficientnet", {}),
    "mobilenetv3": ("mobilenetv3_small_050", {}),
    "regnet": ("regnetx_002", {}),
    "convnext": ("test_convnext", {}),
    "nfnet": ("test_nfnet", {}),
    "repvgg": ("repvgg_a0", {}),
    "ghostnet": ("ghostnet_050", {}),
    "mixnet": ("mixnet_s", {}),
    "xception": ("legacy_xception", {}),
    "dla": ("dla46x_c", {}),
    "hrnet": ("hrnet_w18_small", {}),
    "swin": ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 2, 1)}),
    "vit": ("test_vit", {}),
    "deit": ("deit_tiny_patch16_224", {"depth": 3}),
    "mixer": ("mixer_s32_224", {}),
    "maxvit": ("test_maxvit", {}),
    "efficientformer": ("efficientformer_l1", {"depths": (1, 1, 1, 2)}),
    "halonet": ("halonet26t", {}),
}
SMALL = (96, 128)  # neither square nor any model's own


@pytest.fixture(scope="module", params=MEMBERS.values(), ids=MEMBERS)
def network(request):
    name, options = request.param
    return models.build(ModelSource("m", "m", name, "random:0", tuple(options.items())))


@pytest.fixture(scope="module")
def table(network):
    return census(network)


@pytest.fixture(scope="module")
def layers(table):
    names = [name for name in LayerSpec.__dataclass_fields__ if name != "name"]
    rows = table[table["refused"] == ""]
    return {row.layer: LayerSpec(row.layer, *(getattr(row, name) for name in names)) for row in rows.itertuples()}


@pytest.fixture(scope="module")
def size(network, layers):
    return SMALL if shapes.takes(network, list(layers.values())[-1], SMALL) else network.data.input_size[1:]


def test_every_layer_is_recorded_or_says_why_it_has_no_units(network, table, layers, size):
    assert table[~table["layer"].isin(layers)]["refused"].str.len().min() > 10 or len(layers) == len(table)
    inputs = torch.rand(2, network.data.input_size[0], *size, generator=torch.Generator().manual_seed(0))

    def keep(shown, name):
        return activations.summarise(shown)

    with torch.inference_mode(), record(network.module, list(layers.values()), keep=keep) as found:
        found.run(network.module, inputs)
    assert list(found) == list(layers)
    for name, summary in found.items():
        assert summary["mean"].shape == (2, layers[name].channels), name
        assert np.isfinite(summary["max"]).all(), name


def test_a_few_steps_excite_a_unit(network, table, layers, size):
    auto = table[table["auto"]]["layer"].tolist()
    layer = layers[auto[len(auto) // 3]]
    units = [ascent.UnitStart(channel, (channel,)) for channel in range(8)]
    recipe = named("lab", steps=3, keep_every=0, retries=0)
    found = ascent.ascend(streamlined(network, layer.name), layer, units, recipe, size)
    assert found.picture.shape == (8, *size, 3)
    assert (found.curve[:, -1] > found.curve[:, 0]).any()


def test_the_prediction_depends_on_the_photograph(network, size):
    inputs = torch.rand(1, network.data.input_size[0], *size, generator=torch.Generator().manual_seed(0))
    gradient = saliency.gradient(network, inputs, torch.tensor([0]))
    assert gradient.shape == inputs.shape
    untrained = not network.module(inputs).any()  # MLP-Mixer's classifier starts at zero
    assert untrained or gradient.abs().max() > 0
