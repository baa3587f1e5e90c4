"""What a model sees of a photograph, bit for bit as timm makes it; encoders, colour maps and overlays."""

import numpy as np
import pytest
from PIL import Image

from konvolut import images
from konvolut.errors import UserError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# ---- fit

FITS = [
    ((300, 451), (224, 224), 0.875, "bicubic", "center"),
    ((451, 300), (224, 224), 0.875, "bilinear", "center"),
    ((97, 97), (65, 65), 0.9, "lanczos", "center"),
    ((40, 60), (224, 224), 0.95, "bicubic", "center"),
    ((300, 451), (128, 224), 0.875, "bicubic", "center"),
    ((301, 201), (224, 128), 1.0, "bilinear", "center"),
    ((100, 100), (64, 64), 1.2, "bilinear", "center"),
    ((300, 451), (224, 224), 1.0, "bicubic", "squash"),
    ((300, 451), (225, 224), 0.875, "nearest", "squash"),
    ((300, 451), (224, 224), 1.0, "bicubic", "border"),
    ((451, 300), (225, 224), 0.95, "bilinear", "border"),
    ((33, 300), (224, 224), 0.8, "bicubic", "border"),
]


@pytest.mark.parametrize(("photo_hw", "size_hw", "crop_pct", "interpolation", "crop_mode"), FITS)
def test_fit_is_bit_identical_to_timms_evaluation_transform(rng, photo_hw, size_hw, crop_pct, interpolation, crop_mode):
    from konvolut import models  # its door to timm; torch takes seconds, which the other tests need not spend

    photo = rng.integers(0, 256, (*photo_hw, 3), dtype=np.uint8)
    options = {"crop_pct": crop_pct, "interpolation": interpolation, "crop_mode": crop_mode}
    transform = models.timm.data.create_transform((3, *size_hw), is_training=False, normalize=False, **options)
    expected = transform(Image.fromarray(photo)).numpy().transpose(1, 2, 0)
    seen, _ = images.fit(photo, size_hw, **options)
    assert np.array_equal(seen, expected)


def _ramps(height, width):
    """A photograph whose red is 0..255 from left to right and green from top to bottom."""
    red, green = np.linspace(0, 255, width), np.linspace(0, 255, height)
    return np.rint(np.stack(np.broadcast_arrays(red, green[:, None], 0.0), axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize("photo_hw", [(400, 640), (640, 400)])
def test_the_box_of_fit_says_where_the_seen_pixels_lie(crop_mode, photo_hw):
    """The ramps tell each pixel's place in the photograph; the box must foretell it."""
    photo = _ramps(*photo_hw)
    seen, (left, top, right, bottom) = images.fit(photo, (224, 224), crop_mode=crop_mode, fill=(9, 9, 9))
    row, column = 100, 130
    x, y = left + (column + 0.5) / 224 * (right - left), top + (row + 0.5) / 224 * (bottom - top)
    assert seen[row, column, :2].tolist() == pytest.approx([255 * x, 255 * y], abs=1.5)


def test_the_box_of_a_photograph_that_is_seen_whole_is_the_whole_photograph(rng):
    photo = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert images.fit(photo, (32, 32), 1.0, crop_mode="squash")[1] == (0, 0, 1, 1)
    left, top, right, bottom = images.fit(photo, (32, 32), 1.0, crop_mode="border")[1]
    assert (left, right) == (0, 1)
    assert top < 0
    assert bottom > 1


def test_an_unknown_interpolation_is_a_users_mistake_with_the_nearest_word(rng):
    with pytest.raises(UserError, match="nearest: 'bicubic'"):
        images.fit(np.zeros((9, 9, 3), np.uint8), (4, 4), interpolation="bicubical")


# ---- shrink, encode


def test_shrink_keeps_the_aspect_and_never_enlarges(rng):
    photo = rng.integers(0, 256, (300, 451, 3), dtype=np.uint8)
    assert images.shrink(photo, 200).shape == (133, 200, 3)
    assert images.shrink(photo, 451) is photo
    assert images.shrink(np.zeros((2, 999, 3), np.uint8), 100).shape == (1, 100, 3)


def test_shrink_keeps_a_flat_colour():
    flat = np.full((90, 60, 3), (10, 120, 250), np.uint8)
    assert np.array_equal(images.shrink(flat, 31), np.broadcast_to([10, 120, 250], (31, 21, 3)))


def test_png_comes_back_as_it_was(rng):
    picture = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    assert np.array_equal(images.decode(images.encode_png(picture)), picture)


def test_webp_comes_back_nearly_as_it_was():
    picture = _ramps(96, 96)
    error = images.decode(images.encode_webp(picture, 90)).astype(float) - picture
    assert np.sqrt((error**2).mean()) < 4


def test_a_higher_webp_quality_is_nearer_and_larger(rng):
    picture = images.fit(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (96, 96), 1.0)[0]
    low, high = images.encode_webp(picture, 20), images.encode_webp(picture, 95)
    assert len(low) < len(high)
    errors = [np.abs(images.decode(data).astype(int) - picture).mean() for data in (low, high)]
    assert errors[0] > errors[1]


@pytest.mark.parametrize("encode", [images.encode_png, lambda picture: images.encode_webp(picture, 75)])
def test_the_same_picture_gives_the_same_bytes(rng, encode):
    picture = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert encode(picture) == encode(np.asfortranarray(picture.copy()))


def test_files_hold_the_encoded_bytes_and_nothing_is_left_beside_them(tmp_path, rng):
    picture = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    images.write_webp(tmp_path / "a.webp", picture, 75)
    images.write_png(tmp_path / "a.png", picture)
    assert (tmp_path / "a.webp").read_bytes() == images.encode_webp(picture, 75)
    assert (tmp_path / "a.png").read_bytes() == images.encode_png(picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.webp"]


def test_a_write_that_fails_leaves_the_old_file_and_no_half_one(tmp_path, rng, monkeypatch):
    picture = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    images.write_png(tmp_path / "a.png", picture)
    before = (tmp_path / "a.png").read_bytes()

    def fail(self, target):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        images.write_png(tmp_path / "a.png", 255 - picture)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.png", before)]


# ---- maps


def test_the_colour_map_is_inferno():
    inferno = pytest.importorskip("matplotlib").colormaps["inferno"]
    values = np.linspace(0, 1, 256)[None]
    expected = np.rint(inferno(values)[..., :3] * 255)
    assert np.abs(images.colour_map(values) - expected).max() <= 6


def test_the_colour_map_grows_lighter_from_end_to_end():
    """Rec. 709 luminance rises with the value, so that the map also reads in print and to the colour-blind."""
    colours = images.colour_map(np.linspace(0, 1, 101)[None])[0] / 255
    luminance = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    assert np.all(np.diff(luminance @ [0.2126, 0.7152, 0.0722]) > 0)


def test_the_colour_map_clips_and_takes_nan_for_nothing():
    colours = images.colour_map(np.array([[-1.0, 0.0, np.nan, 1.0, 7.0]]))[0]
    assert colours[0].tolist() == colours[1].tolist() == colours[2].tolist() == [0, 0, 4]
    assert colours[3].tolist() == colours[4].tolist() == [252, 255, 164]


def test_overlay_is_the_weighted_sum_of_photograph_and_map(rng):
    """cv2.addWeighted(photo, .15, map, .85, 0) as the lab notebook has it, pixel by pixel."""
    photo = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    map01 = rng.random((5, 6))
    seen = images.overlay(photo, map01, coloured=False)
    for row in range(5):
        for column in range(6):
            grey = round(map01[row, column] * 255)
            assert seen[row, column].tolist() == [round(0.15 * int(c) + 0.85 * grey) for c in photo[row, column]]


def test_overlay_of_the_photograph_alone_is_the_photograph(rng):
    photo = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert np.array_equal(images.overlay(photo, rng.random((5, 6)), photo_share=1.0), photo)
    assert np.array_equal(images.overlay(photo, np.ones((5, 6)), photo_share=0.0)[0, 0], [252, 255, 164])
