"""Classes that are named and not there are found before the first job, where a model's classes can be known by then."""

import dataclasses
import json
import subprocess

import pytest

from konvolut.asked import targets
from konvolut.asked.sections import ClassesSettings, FoolingSettings, SaliencySettings
from konvolut.asked.settings import ModelSource, Photograph, Settings
from konvolut.errors import UserError
from konvolut.network import models
from konvolut.network.inspection import identity_of
from tiny_sweep import CONFIG, snakemake, write_sweep

ANIMALS = ["tabby, tabby cat", "tench, Tinca tinca", "crane", "crane (517)"]
MODEL = ModelSource("my model", "mine", "test_efficientnet", "random:1")


def settings(**sections):
    return Settings(models=(MODEL,), images=(Photograph("cat", "cat", "cat.png"),), **sections)


def test_only_sections_with_photographs_to_work_on_ask_for_classes():
    default = settings()
    assert targets.asked(default) == {}, "predicted is whatever the model says"
    fooled = dataclasses.replace(default, fooling=FoolingSettings(images=("cat",), targets=(3,)))
    assert targets.asked(fooled) == {"fooling": (3,)}
    named = dataclasses.replace(
        fooled, classes=ClassesSettings(targets=("tabby",)), saliency=SaliencySettings(targets=("predicted", 1))
    )
    assert targets.asked(named) == {"classes": ("tabby",), "saliency": (1,), "fooling": (3,)}


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("tabi", r"classes: targets: model 'my model': no class of the model is called 'tabi'; nearest: 'tabby'$"),
        (4, r"classes: targets: model 'my model': class 4 is not in 0\.\.3"),
    ],
)
def test_a_class_that_a_model_does_not_have_is_named_with_the_nearest(target, sentence):
    with pytest.raises(UserError, match=sentence):
        targets.check(settings(classes=ClassesSettings(targets=(0, target))), {"mine": ANIMALS})


def test_a_model_without_classes_is_asked_for_none():
    with pytest.raises(UserError, match="classes: model 'my model' has no classes"):
        targets.check(settings(classes=ClassesSettings(targets=(0,))), {"mine": []})


def test_only_saliency_knows_the_predicted_class():
    fooled = settings(fooling=FoolingSettings(images=("a",), targets=("predicted",)))
    with pytest.raises(UserError, match=r"fooling: targets: .*'predicted'"):
        targets.check(fooled, {"mine": ANIMALS})


def test_a_model_whose_classes_are_not_known_yet_is_believed():
    targets.check(settings(classes=ClassesSettings(targets=("tabi",))), {})


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("options", [(), (("num_classes", 7),), (("num_classes", 0),)], ids=str)
def test_classes_told_by_the_architecture_alone_are_those_of_the_model(name, options):
    """The oracle is the model, built in full."""
    source = dataclasses.replace(MODEL, timm_name=name, options=options)
    assert models.class_names(source) == models.build(source).class_names


def test_timm_is_asked_in_a_process_of_its_own_and_a_sweep_that_has_begun_is_not_asked_again(tmp_path, monkeypatch):
    told = targets.names_before_jobs([MODEL], tmp_path)
    assert told == {"mine": models.build(MODEL).class_names}
    (tmp_path / "mine").mkdir()
    identity = tmp_path / "mine/model.json"
    identity.write_text(json.dumps(identity_of(models.build(MODEL), MODEL)))
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **how: pytest.fail("timm was asked"))
    assert targets.names_before_jobs([MODEL], tmp_path) == told


@pytest.mark.parametrize("change", [{"weights": "random:2"}, {"options": (("num_classes", 7),)}])
def test_an_identity_of_another_model_is_not_believed(tmp_path, change):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/model.json").write_text(json.dumps(identity_of(models.build(MODEL), MODEL)))
    other = dataclasses.replace(MODEL, **change)
    assert targets.names_before_jobs([other], tmp_path)["mine"] == models.build(other).class_names


def test_an_identity_that_a_kill_cut_off_is_not_believed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/model.json").write_text('{"timm_name": "test_eff')
    assert len(targets.names_before_jobs([MODEL], tmp_path)["mine"]) == 1000


def test_names_of_the_sheet_are_held_against_the_model_before_its_first_job(tmp_path, monkeypatch):
    names = tuple(f"n{number}" for number in range(1000))
    mine = dataclasses.replace(MODEL, class_names=names)
    few = dataclasses.replace(MODEL, class_names=names[:3])
    with pytest.raises(UserError, match=r"my model.*: column classes names 3 classes, the model has 1000"):
        targets.names_before_jobs([few], tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/model.json").write_text(json.dumps(identity_of(models.build(MODEL), MODEL)))
    with pytest.raises(UserError, match="column classes names 3 classes"):
        targets.names_before_jobs([few], tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **how: pytest.fail("timm was asked"))
    assert targets.names_before_jobs([mine], tmp_path) == {"mine": list(names)}


def test_what_a_repository_holds_is_known_when_it_was_fetched(tmp_path):
    assert targets.names_before_jobs([dataclasses.replace(MODEL, weights="hf-hub:timm/x")], tmp_path) == {}


def test_a_model_that_timm_does_not_have_is_named_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="has no model 'test_eficientnet'; nearest: 'test_efficientnet'"):
        targets.names_before_jobs([dataclasses.replace(MODEL, timm_name="test_eficientnet")], tmp_path)


def test_a_run_with_an_unknown_class_ends_before_its_first_job(tmp_path):
    write_sweep(tmp_path, CONFIG | {"classes": {"targets": ["tabi"]}})
    run = snakemake(tmp_path)
    assert run.returncode == 1
    assert (
        run.stderr.strip()
        .splitlines()[-1]
        .startswith("konvolut: classes: targets: model 'tiny': no class of the model is called 'tabi'; nearest")
    )
    assert not (tmp_path / "results").exists()
