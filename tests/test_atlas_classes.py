"""Pages of classes, pictures of whole layers, animations and transparency maps: what the files hold."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from konvolut.asked.settings import AtlasSettings, Photograph
from konvolut.atlas import charts, classes, plates, series, trials, wholes
from konvolut.atlas.classes import ClassInputs
from konvolut.atlas.inputs import LayerInputs
from konvolut.atlas.write import class_pages
from konvolut.pictures import images
from konvolut.results import store
from synthetic_results import PASSPORT, pictures, small_atlas


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return small_atlas(tmp_path_factory.getbasetemp())[1]


def test_a_class_shows_its_pictures_its_photographs_and_its_passport(atlas):
    page = (atlas / "classes/lite0/5.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;nematode&lt;/b&gt;" in page
    assert "<b>nematode" not in page
    for name in ("5-none.webp", "5-none-steps.webp", "5-l2.webp"):
        assert (atlas / "classes/lite0" / name).exists()
        assert name in page
    assert "97 %" in page
    assert "Passport" in page
    answers = store.read_activations(next((atlas.parent / "synthetic-results").rglob("lite0/activations.h5")))
    named = [
        key for key, names in zip(answers.image, answers.predicted_name, strict=True) if "<b>nematode</b>" in names
    ]
    assert named
    assert set(re.findall(r'href="../../images/([^"]+).html"', page)) == {*named, "index"}


def test_a_class_page_says_whether_the_moved_picture_is_recognised(atlas):
    page = (atlas / "classes/lite0/5.html").read_text(encoding="utf-8")
    assert "81 % when the picture is moved, turned and scaled a little: good" in " ".join(page.split())
    known = json.loads((atlas / "manifest.json").read_text(encoding="utf-8"))["classes"]
    assert {entry["verdict"] for entry in known} == {"good"}


def test_the_list_of_classes_leads_to_each_and_scripts_know_them(atlas):
    listed = (atlas / "classes/index.html").read_text(encoding="utf-8")
    known = json.loads((atlas / "manifest.json").read_text(encoding="utf-8"))["classes"]
    assert {entry["number"] for entry in known} == {1, 5}
    for entry in known:
        assert entry["page"] in listed
        assert (atlas / "classes" / entry["page"]).exists()
        assert (atlas / "classes" / entry["picture"]).exists()
    assert "classes/index.html" in (atlas / "index.html").read_text(encoding="utf-8")


def test_without_classes_the_list_says_so(tmp_path):
    class_pages(ClassInputs((), (), AtlasSettings()), tmp_path / "classes")
    assert "No class pictures" in (tmp_path / "classes/index.html").read_text(encoding="utf-8")
    assert classes.read_summary(tmp_path / "classes") == []
    assert classes.read_summary(None) == []


def test_answering_photographs_come_by_probability_and_labels_count():
    photos = (*tuple(Photograph(key, key, "") for key in "abc"), Photograph("d", "d", "", label="Tabby"))
    answers = {"a": [("dog", 0.5), ("tabby, tabby cat", 0.2)], "b": [("tabby, tabby cat", 0.9)], "d": [("dog", 1.0)]}
    found = classes.answering("tabby, tabby cat", answers, photos)
    assert [(key, rank) for key, _, rank, _ in found] == [("b", 1), ("a", 2), ("d", 0)]


def test_an_animation_has_every_frame_and_begins_anew():
    frames = [np.full((16, 24, 3), shade, np.uint8) for shade in (0, 90, 180, 255)]
    data = images.encode_animation(frames, 75, 80, 900)
    assert data == images.encode_animation([frame.copy() for frame in frames], 75, 80, 900)
    with Image.open(io.BytesIO(data)) as moving:
        assert (moving.format, moving.n_frames, moving.info["loop"]) == ("WEBP", 4, 0)
        for number, frame in enumerate(frames):
            moving.seek(number)
            assert abs(int(np.asarray(moving.convert("RGB")).mean()) - int(frame.mean())) <= 3
            assert moving.info["duration"] == (900 if number == 3 else 80)


def test_where_a_picture_mattered_it_stays_and_elsewhere_it_fades():
    picture = np.full((10, 10, 3), 200, np.uint8)
    mattered = np.zeros((10, 10), np.float32)
    mattered[:5] = 4.0
    mattered[5] = 2.0
    shown = series.cleared(picture, mattered)
    assert (shown[:5] == 200).all()
    assert (shown[6:] == plates.FREE).all()
    assert (shown[5] == (200 + plates.FREE) / 2).all()


def test_a_change_is_shown_by_what_most_pixels_changed_not_by_the_one_that_changed_most():
    change = np.full((100, 100, 3), 4.0)
    change[0, 0] = 200
    assert trials.strongest(change) == 4
    assert trials.strongest(np.zeros((9, 9, 3))) == 1


@pytest.fixture
def animated(tmp_path):
    """A layer with pictures in two shards, out of order, with transparency maps; its series and folder."""
    rng, paths = np.random.default_rng(0), []
    for channels in ([5, 3], [0, 1]):
        made = pictures(rng, channels, None)
        seen = np.stack([np.full((96, 96), channel, np.float32) for channel in channels])
        path = tmp_path / f"{min(channels)}-{max(channels)}.h5"
        store.write_pictures(path, "channels", {"noise": dataclasses.replace(made, transparency=seen)}, PASSPORT)
        paths.append(path)
    folder = tmp_path / "layer"
    folder.mkdir()
    inputs = LayerInputs("", "", "layer", (), AtlasSettings(animations=True), channels=tuple(paths))
    return series.write_optimised(inputs, folder, None)[0], folder


def test_animations_and_transparency_follow_their_channels(animated):
    made, folder = animated
    assert made.channels == [0, 1, 3, 5]
    assert made.animated
    assert sorted(path.name for path in folder.glob("ascent-*")) == [f"ascent-channels-{n}.webp" for n in (0, 1, 3, 5)]
    assert made.sheets["clear"] == made.sheets["large"]
    clear = images.read(folder / "clear-channels-0.webp")
    first, second = clear[:96, :96].astype(int), clear[:96, 96:192].astype(int)
    assert np.abs(first - plates.FREE).mean() < 3, "channel 0 never mattered"
    assert second.std() > 20, "channel 1 did everywhere"


def test_a_whole_layer_has_its_picture_and_its_steps(atlas):
    made = json.loads((atlas / "lite0/conv_stem/summary.json").read_text(encoding="utf-8"))["wholes"]
    assert [one["technique"] for one in made] == list(wholes.TECHNIQUES)
    for one in made:
        for page in (atlas / "lite0/conv_stem.html", atlas / f"images/{one['start']}.html"):
            assert one["picture"] in page.read_text(encoding="utf-8")
            assert (page.parent / one["picture"]).exists()
            assert (page.parent / one["steps"]).exists()


def test_a_row_of_steps_keeps_their_aspect():
    assert wholes.row_of(np.zeros((3, 50, 100, 3), np.uint8), 72).shape == (72, 3 * 144, 3)


def test_a_curve_runs_from_corner_to_corner():
    points = [tuple(map(float, point.split(","))) for point in charts.curve_points([0.0, 1.0, 4.0]).split()]
    assert points == [(0, 60), (120, 45), (240, 0)]
    assert charts.curve_points([0.5, np.nan, 0.5], 0.0, 1.0).split() == ["0.0,30.0", "240.0,30.0"]
    assert charts.curve_points([1.0]) == ""
    assert len(charts.curve_points(np.arange(999.0)).split()) == charts.POINTS
