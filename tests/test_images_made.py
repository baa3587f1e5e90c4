"""What a model sees of a photograph, bit for bit as timm makes it; encoders."""

import numpy as np
import pytest
from PIL import Image

from konvolut.errors import UserError
from konvolut.pictures import crops, images


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
    from konvolut.network import models  # its door to timm; torch takes seconds, which the other tests need not spend

    photo = rng.integers(0, 256, (*photo_hw, 3), dtype=np.uint8)
    options = {"crop_pct": crop_pct, "interpolation": interpolation, "crop_mode": crop_mode}
    transform = models.timm.data.create_transform((3, *size_hw), is_training=False, normalize=False, **options)
    expected = transform(Image.fromarray(photo)).numpy().transpose(1, 2, 0)
    seen, _ = crops.fit(photo, size_hw, **options)
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
    seen, (left, top, right, bottom) = crops.fit(photo, (224, 224), crop_mode=crop_mode, fill=(9, 9, 9))
    row, column = 100, 130
    x, y = left + (column + 0.5) / 224 * (right - left), top + (row + 0.5) / 224 * (bottom - top)
    assert seen[row, column, :2].tolist() == pytest.approx([255 * x, 255 * y], abs=1.5)


def test_the_box_of_a_photograph_that_is_seen_whole_is_the_whole_photograph(rng):
    photo = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert crops.fit(photo, (32, 32), 1.0, crop_mode="squash")[1] == (0, 0, 1, 1)
    left, top, right, bottom = crops.fit(photo, (32, 32), 1.0, crop_mode="border")[1]
    assert (left, right) == (0, 1)
    assert top < 0
    assert bottom > 1


def test_an_unknown_interpolation_is_a_users_mistake_with_the_nearest_word(rng):
    with pytest.raises(UserError, match="nearest: 'bicubic'"):
        crops.fit(np.zeros((9, 9, 3), np.uint8), (4, 4), interpolation="bicubical")


# ---- shrink, encode


def test_shrink_keeps_the_aspect_and_never_enlarges(rng):
    photo = rng.integers(0, 256, (300, 451, 3), dtype=np.uint8)
    assert images.shrink(photo, 200).shape == (133, 200, 3)
    assert images.shrink(photo, 451) is photo
    assert images.shrink(np.zeros((2, 999, 3), np.uint8), 100).shape == (1, 100, 3)


def test_shrink_keeps_a_flat_colour():
    flat = np.full((90, 60, 3), (10, 120, 250), np.uint8)
    assert np.array_equal(images.shrink(flat, 31), np.broadcast_to([10, 120, 250], (31, 21, 3)))


@pytest.mark.parametrize("size_hw", [(96, 96), (31, 200), (300, 640)])
def test_scaled_is_the_whole_picture_as_timm_squashes_it(rng, size_hw):
    picture = rng.integers(0, 256, (160, 224, 3), dtype=np.uint8)
    assert np.array_equal(images.scaled(picture, *size_hw), crops.fit(picture, size_hw, 1.0, crop_mode="squash")[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_too_fine_for_a_tile_become_grey_and_no_coarser_stripes(axis):
    stripes = np.where(np.indices((224, 224))[axis] % 2, 255, 0).astype(np.uint8)
    tile = images.scaled(np.repeat(stripes[..., None], 3, axis=2), 96, 96)
    inside = tile[4:-4, 4:-4].astype(float)
    assert np.abs(inside - 127.5).max() < 10


def test_png_comes_back_as_it_was(rng):
    picture = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    assert np.array_equal(images.decode(images.encode_png(picture)), picture)


def test_webp_comes_back_nearly_as_it_was():
    picture = _ramps(96, 96)
    error = images.decode(images.encode_webp(picture, 90)).astype(float) - picture
    assert np.sqrt((error**2).mean()) < 4


def test_a_higher_webp_quality_is_nearer_and_larger(rng):
    picture = crops.fit(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (96, 96), 1.0)[0]
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
