"""Recipes: the published ones with their published numbers, and mistakes named."""

import dataclasses

import pytest

from konvolut.asked import built_in
from konvolut.errors import UserError


def test_lab_has_the_notebooks_numbers():
    lab = built_in.named("lab")
    assert (lab.parameterisation, lab.optimiser, lab.schedule) == ("pixels", "adam", "constant")
    assert lab.objective == (("mean", 1.0),)
    assert (lab.learning_rate, lab.weight_decay, lab.steps, lab.keep_every, lab.size_px) == (0.1, 1e-6, 100, 25, 224)
    assert not lab.transforms
    dream = built_in.named("lab-dream")
    assert (dream.parameterisation, dream.optimiser, dream.schedule) == ("pixels", "sgd", "constant")
    assert (dream.learning_rate, dream.weight_decay, dream.steps, dream.keep_every) == (12.0, 1e-4, 250, 50)


def test_lucid_has_lucids_numbers():
    lucid = built_in.named("lucid")
    assert (lucid.parameterisation, lucid.objective, lucid.optimiser, lucid.learning_rate) == (
        "fourier",
        (("mean", 1.0),),
        "adam",
        0.05,
    )
    assert lucid.transforms == (("pad", 12), ("jitter", 8), ("scale", 0.1), ("rotate", 10), ("jitter", 4))
    assert (lucid.decay, lucid.padding, lucid.coarse_steps) == (1.0, "grey", 0)


def test_maco_has_the_papers_numbers():
    maco = built_in.named("maco")
    assert (maco.parameterisation, maco.optimiser, maco.learning_rate) == ("maco", "nadam", 1.0)
    assert (maco.steps, maco.crops, maco.noise, maco.size_px) == (256, 32, 0.08, 512)


def test_diversity_is_lucids_four_pictures_less_a_hundred_times_their_likeness():
    diversity = built_in.named("diversity")
    assert diversity.objective == (("mean", 1.0), ("similarity", -100.0))
    assert diversity.variants == 4
    assert diversity.transforms == built_in.named("lucid").transforms


def test_fields_of_a_recipe_can_be_changed():
    assert built_in.named("lucid", steps=512) == dataclasses.replace(built_in.named("lucid"), steps=512)


@pytest.mark.parametrize(("steps", "coarse"), [(96, 48), (48, 24), (5, 2), (1, 0), (0, 0), (512, 48)])
def test_half_of_fewer_steps_are_coarse_and_of_more_as_many_as_before(steps, coarse):
    assert built_in.named("konvolut", steps=steps).coarse_steps == coarse
    assert built_in.named("konvolut", steps=steps, coarse_steps=7).coarse_steps == 7
    assert built_in.named("lucid", steps=steps).coarse_steps == 0


def test_an_unknown_recipe_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"'lucied' is none of lab, .*nearest: 'lucid'"):
        built_in.named("lucied")


def test_coarse_steps_without_a_spectrum_are_refused():
    with pytest.raises(UserError, match="coarse_steps needs parameterisation fourier"):
        built_in.named("lab", coarse_steps=10)
    assert built_in.named("konvolut", parameterisation="pixels").coarse_steps == 0


@pytest.mark.parametrize("recipe", built_in.BUILT_IN.values(), ids=built_in.BUILT_IN)
def test_kept_steps_end_with_the_last(recipe):
    assert recipe.steps * recipe.octaves % recipe.keep_every == 0
    assert built_in.BUILT_IN[recipe.name] is recipe
