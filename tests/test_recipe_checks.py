"""What a section's recipe may be: held against what its pictures start from and what they are of."""

import numpy as np
import pytest
import yaml

from konvolut.asked import costs, settings
from konvolut.asked.built_in import named
from konvolut.errors import UserError
from konvolut.pictures import images

REFUSED = {
    "fooling: {min_prob: 1.5}": r"fooling\.min_prob must be a number above 0, at most 1",
    "fooling: {min_prob: 0}": r"fooling\.min_prob must be a number above 0, at most 1",
    "classes: {min_prob: 90}": r"classes\.min_prob must be a number above 0, at most 1, or null",
    "classes: {objective: peaks}": r"classes\.objective must be mean",
    "classes: {recipe: octave, octaves: 3}": r"classes\.octaves must be 1",
    "classes: {crops: 4}": r"classes\.crops and noise must be 0",
    "classes: {noise: 0.1}": r"classes\.crops and noise must be 0",
    "channels: {objective: [[mean, 1], [similarity, -100]]}": r"channels\.objective: similarity is that of variants",
    "channels: {recipe: diversity, variants: 1}": r"similarity is that of variants, and channels\.variants is 1",
    "layer_dreams: {objective: 'similarity@conv1'}": r"layer_dreams\.objective: similarity is that of variants",
    "classes: {regularisation: [l3]}": r"classes\.regularisation must be a list of none, l1, l2",
    "channels: {objective: distance}": r"channels\.objective: distance compares with a photograph",
    "channels: {octaves: 3}": r"config: channels: recipe 'konvolut': octaves needs parameterisation pixels",
    "dreams: {parameterisation: maco}": r"dreams\.parameterisation cannot be maco",
    "accentuation: {variants: 2}": r"accentuation\.variants must be 1",
    "layer_dreams: {objective: mean}": r"layer_dreams\.objective: mean is about a channel.*layer, norm.*mean:7",
    "caricature: {recipe: lucid}": r"caricature\.objective: mean is about a channel",
    "layer_dreams: {octave_scale: 1}": r"layer_dreams\.octave_scale must be a number above 1",
    "channels: {transforms: [[jitter, .inf]]}": r"channels\.transforms must be a list of pairs",
    "channels: {transforms: [[jitter, .nan]]}": r"channels\.transforms must be a list of pairs",
    "channels: {transforms: [[scale, 1]]}": r"channels\.transforms: scale 1 would shrink.*possible: below 1",
    "dreams: {transforms: [[rotate, 200]]}": r"dreams\.transforms: rotate 200 is more than half a circle",
    "channels: {size_px: 64, transforms: [[pad, 1], [jitter, 40], [jitter, 26]]}": r"64 px.*show the model 0 px",
    "dreams: {longest_side_px: 64, transforms: [[pad, 5000]]}": r"64 px.*show the model 10064 px; possible: 1 to 8192",
    "dreams: {longest_side_px: 64, transforms: [[jitter, 128]]}": r"jitter of 128 px.* moves pictures of 64 px out",
    "channels: {steps: 4, coarse_steps: 5}": r"channels\.coarse_steps \(5\) is more than steps \(4\)",
    "dreams: {optimiser: normalized}": r"dreams\.optimiser.*nearest: 'normalised'",
}


@pytest.fixture
def load(tmp_path):
    (tmp_path / "models.tsv").write_text("id\ttimm_name\tweights\ntiny\tresnet10t\trandom:0\n")
    (tmp_path / "images.tsv").write_text("id\tpath\np\tp.png\n")
    images.write_png(tmp_path / "p.png", np.zeros((8, 9, 3), np.uint8))
    sheets = {"models": "models.tsv", "images": "images.tsv"}
    return lambda text: settings.load({**sheets, **yaml.safe_load(text)}, tmp_path)


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(load, text, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        load(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "layer_dreams: {objective: 'mean:7'}",
        "layer_dreams: {recipe: lab-dream, objective: norm}",
        "dreams: {recipe: octave, octaves: 4}",
        "dreams: {objective: [[peaks, 1], [distance, -2]]}",
        "classes: {recipe: timm-vis, targets: [130], min_prob: 0.9}",
        "classes: {targets: []}",
        "channels: {objective: [[mean, 1], [similarity, -100]], variants: 2}",
        "classes: {recipe: octave, octaves: 1}",
        "channels: {steps: 4}",
        "channels: {size_px: 16}",
        "dreams: {longest_side_px: 16}",
        "channels: {steps: 4, coarse_steps: 4}",
        "channels: {size_px: 64, transforms: [[pad, 1], [jitter, 40], [jitter, 23], [scale, 0.9], [rotate, 180]]}",
    ],
)
def test_what_can_be_is_read(load, text):
    load(text)


def test_steps_that_are_all_coarse_count_as_such():
    """Four steps at half the side are those of one at the whole."""
    recipe = named("konvolut", steps=4, coarse_steps=4, size_px=256, fields=0.0)
    sees_everything = costs.Pass(gflop=1.0, mcells=1.0, input_px=256, receptive_field_px=999)
    assert costs.channel_passes(recipe, sees_everything) == pytest.approx(4 / 4)


def test_the_work_of_octaves_is_that_of_all_their_sizes():
    """Halved sides are a quarter of the pixels: 20 steps at 1, 1/4 and 1/16."""

    recipe = named("octave", octaves=3, octave_scale=2.0, steps=20)
    at_own_size = costs.Pass(gflop=1.0, mcells=1.0, input_px=320, receptive_field_px=9)
    full = costs.ASPECT * 20
    assert costs.dream_passes(recipe, 320, at_own_size) == pytest.approx(full * (1 + 1 / 4 + 1 / 16))
