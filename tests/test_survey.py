"""Which photographs can be read, in sets of any size; large sets are not watched one by one."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from konvolut.asked import settings, survey, sweep
from konvolut.asked.sheets import Photograph
from konvolut.errors import UserError
from konvolut.pictures import images


@pytest.fixture
def photographs(tmp_path):
    """Three photographs; the second is cut off behind its header, the third lies on its side."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        images.write_png(tmp_path / f"{name}.png", rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "c.jpg", exif=exif)
    return [
        Photograph(name, name, str(tmp_path / file))
        for name, file in zip("abc", ("a.png", "b.png", "c.jpg"), strict=True)
    ]


def test_a_small_set_is_decoded_and_what_is_cut_off_is_found(photographs):
    table = survey.survey(photographs, "skip")
    assert table["problem"].map(bool).tolist() == [False, True, False]
    assert table[["height", "width"]].values.tolist() == [[40, 60], [0, 0], [60, 40]]


def test_a_small_set_is_decoded_before_the_first_job_and_what_is_whole_only_once(photographs, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"^image 'b': .*b\.png cannot be decoded, .*; images_on_error: skip leaves"):
        survey.check_whole(photographs, tmp_path / "photographs.tsv")
    survey.write_survey(survey.survey(photographs, "skip"), tmp_path / "photographs.tsv")
    read, decoded = images.check, []
    monkeypatch.setattr(images, "check", lambda path: decoded.append(Path(path).name) or read(path))
    with pytest.raises(UserError, match="image 'b'"):
        survey.check_whole(photographs, tmp_path / "photographs.tsv")
    (tmp_path / "c.jpg").rename(tmp_path / "old.jpg")
    (tmp_path / "old.jpg").rename(tmp_path / "c.jpg")  # its times of writing stay, and it might be another
    survey.check_whole([photographs[0], photographs[2]], tmp_path / "photographs.tsv")
    assert decoded == ["b.png", "c.jpg"]


def test_nobody_waits_long_for_a_start(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "SECONDS", -1.0)
    survey.check_whole(photographs, tmp_path / "photographs.tsv")


def test_of_a_large_set_none_is_decoded_before_the_first_job(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "DECODED_AT_MOST", 2)
    survey.check_whole(photographs, tmp_path / "photographs.tsv")


def test_a_large_set_is_decoded_too_and_keeps_its_order(photographs, monkeypatch):
    monkeypatch.setattr(survey, "AT_ONCE", 2)
    table = survey.survey(photographs * 4, "skip")
    assert table["key"].tolist() == list("abc") * 4
    assert table["problem"].map(bool).tolist() == [False, True, False] * 4
    with pytest.raises(UserError, match=r"image 'b': .*images_on_error: skip"):
        survey.survey(photographs * 4, "fail")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_jpeg_is_checked_to_its_end_without_its_pixels(tmp_path, share):
    path, rng = tmp_path / "large.jpg", np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(rng.integers(0, 256, (200, 330, 3), dtype=np.uint8)).save(path, exif=exif)
    assert images.check(path) == images.read(path).shape[:2] == (330, 200)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    for look in (images.read, images.check):
        with pytest.raises(UserError, match="cannot be decoded"):
            look(path)


def test_before_a_run_only_the_first_headers_of_a_large_set_are_read(photographs, tmp_path, monkeypatch):
    (tmp_path / "c.jpg").write_bytes(b"no photograph")
    asked = SimpleNamespace(images=tuple(photographs), images_on_error="fail")
    with pytest.raises(UserError, match="image 'c'"):
        settings.check_images(asked)
    monkeypatch.setattr(settings, "HEADERS_AT_ONCE", 2)
    assert settings.check_images(asked) == ()


def test_files_of_a_set_too_large_to_be_watched_are_no_inputs(photographs, monkeypatch):
    one = SimpleNamespace(settings=SimpleNamespace(images=tuple(photographs)))
    assert sweep.Sweep._watched(one, photographs[:1]) == [photographs[0].path]
    monkeypatch.setattr(sweep, "WATCHED_AT_MOST", 2)
    assert sweep.Sweep._watched(one, photographs) == []
