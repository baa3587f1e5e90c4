"""Photographs that cannot be read are named by their id; where they lie is nobody's business but the user's."""

import dataclasses
from types import SimpleNamespace

import pytest

from konvolut.asked import survey
from konvolut.asked.sweep import Sweep
from konvolut.errors import UserError
from synthetic_results import photographs


@pytest.fixture
def sheet(tmp_path):
    good, bad = photographs(("coffee", "camera"))
    path = tmp_path / "cut.png"
    path.write_bytes(b"no picture")
    return good, dataclasses.replace(bad, id="cut <b>", path=str(path), source=str(path))


def test_the_user_is_told_where_the_file_lies(sheet):
    with pytest.raises(UserError, match=r"image 'cut <b>': .*cut\.png"):
        survey.survey(sheet, "fail")


def test_a_link_that_leads_nowhere_is_no_input_of_a_rule(sheet, tmp_path):
    good, bad = sheet
    gone = dataclasses.replace(bad, path=str(tmp_path / "gone.jpg"))
    one = SimpleNamespace(settings=SimpleNamespace(images=(good, gone)))
    assert Sweep._watched(one, (good, gone)) == [good.path]


def test_the_atlas_is_told_the_id_alone(sheet, tmp_path):
    (sentence,) = survey.problems(survey.survey(sheet, "skip"))
    assert sentence.startswith("Left out: image 'cut <b>': its file")
    assert str(tmp_path) not in sentence
