"""Photographs that cannot be read are named by their id; where they lie is nobody's business but the user's."""

import dataclasses

import pytest

from konvolut.asked import survey
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


def test_the_atlas_is_told_the_id_alone(sheet, tmp_path):
    (sentence,) = survey.problems(survey.survey(sheet, "skip"))
    assert sentence.startswith("Left out: image 'cut <b>': its file")
    assert str(tmp_path) not in sentence
