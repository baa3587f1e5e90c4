"""Photographs are read as they are seen, and what is no photograph is refused with its name."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from konvolut.errors import UserError
from konvolut.pictures import images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def quarters():
    """A picture 6 wide and 4 high whose four quarters are red, green, blue and grey."""
    picture = np.full((4, 6, 3), 128, np.uint8)
    picture[:2, :3], picture[:2, 3:], picture[2:, :3] = RED, GREEN, BLUE
    return picture


# ---- read


def test_an_rgb_png_is_read_as_it_was_written(tmp_path, quarters):
    Image.fromarray(quarters).save(tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png"), quarters)


def test_a_grey_image_has_three_equal_colours(tmp_path, rng):
    grey = rng.integers(0, 256, (5, 7), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png"), np.stack([grey] * 3, axis=-1))


def test_a_one_bit_image_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1").save(tmp_path / "a.png")
    assert images.read(tmp_path / "a.png")[..., 0].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path, suffix):
    values = np.array([[0, 257], [257 * 128, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    assert images.read(tmp_path / f"a.{suffix}")[..., 1].tolist() == [[0, 1], [128, 255]]


def test_16_bit_big_endian_tiff_is_scaled(tmp_path):
    values = np.array([[0, 257], [257 * 128, 65535]], np.uint16)
    data = values.astype(">u2").tobytes()
    entries = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    entries += [(278, 3, 1, 2)]
    offset = 8 + 2 + 12 * (len(entries) + 2) + 4
    directory = [struct.pack(">HHIHH", tag, kind, count, value, 0) for tag, kind, count, value in entries]
    directory.insert(5, struct.pack(">HHII", 273, 4, 1, offset))
    directory.append(struct.pack(">HHII", 279, 4, 1, len(data)))
    header = struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">H", len(directory))
    (tmp_path / "a.tif").write_bytes(header + b"".join(directory) + struct.pack(">I", 0) + data)
    assert images.read(tmp_path / "a.tif")[..., 0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_tiff_whose_0_is_white_is_seen_as_another_library_writes_it(tmp_path, bits):
    tifffile = pytest.importorskip("tifffile")
    values = np.array([[0, 51], [102, 255]]) * (257 if bits == 16 else 1)
    tifffile.imwrite(tmp_path / "a.tif", values.astype(f"uint{bits}"), photometric="miniswhite")
    assert images.read(tmp_path / "a.tif")[..., 0].tolist() == [[255, 204], [153, 0]]


def test_the_value_that_16_bit_grey_calls_transparent_lies_on_white(tmp_path):
    """Only that very value: its neighbour, the same in 8 bits, is seen."""
    pixels = np.array([[0, 1], [257, 65535]], ">u2")
    (tmp_path / "a.png").write_bytes(_png(pixels, bit_depth=16, colour_type=0, clear=struct.pack(">H", 1)))
    assert images.read(tmp_path / "a.png")[..., 0].tolist() == [[0, 255], [1, 255]]


def test_16_bit_colour_png_keeps_its_colours(tmp_path):
    """Pillow does not write 16-bit colour: the PNG is put together from its definition."""
    pixels = np.array([[[65535, 0, 0], [0, 65535, 0]], [[0, 0, 65535], [32896, 32896, 32896]]], ">u2")
    (tmp_path / "a.png").write_bytes(_png(pixels, bit_depth=16, colour_type=2))
    assert images.read(tmp_path / "a.png").tolist() == [[list(RED), list(GREEN)], [list(BLUE), [128, 128, 128]]]


def test_floating_point_pixels_are_refused_with_the_file_name(tmp_path):
    Image.fromarray(np.ones((3, 3), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(UserError, match=r"depth\.tif.*8 or 16 bits"):
        images.read(tmp_path / "depth.tif")


def test_cmyk_becomes_the_colours_that_it_stands_for(tmp_path, quarters):
    large = np.kron(quarters, np.ones((16, 16, 1), np.uint8))
    Image.fromarray(large).convert("CMYK").save(tmp_path / "a.tif")
    assert np.array_equal(images.read(tmp_path / "a.tif"), large)
    Image.fromarray(large).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    assert np.abs(images.read(tmp_path / "a.jpg").astype(int) - large).max() <= 3


def test_a_palette_image_has_the_colours_of_its_palette(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    image.putpalette([*RED, *GREEN, *BLUE])
    image.save(tmp_path / "a.png")
    assert images.read(tmp_path / "a.png").tolist() == [[list(RED), list(GREEN)], [list(BLUE), list(GREEN)]]


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_transparent_pixels_lie_on_white(tmp_path, kind):
    rgba = np.array([[[0, 0, 0, 0], [0, 0, 0, 255]], [[0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8)
    image = Image.fromarray(rgba)
    image = image.quantize(4, method=Image.Quantize.FASTOCTREE) if kind == "P" else image.convert(kind)
    image.save(tmp_path / "a.png")
    assert images.read(tmp_path / "a.png")[..., 0].tolist() == [[255, 0], [0, 255]]


def test_half_transparent_black_on_white_is_grey(tmp_path):
    Image.new("RGBA", (2, 2), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert images.read(tmp_path / "a.png")[0, 0].tolist() == [127, 127, 127]


# What each EXIF orientation asks of the stored pixels, from the TIFF 6.0 definition: row 0 and column 0 of the file
# are the named sides of the scene.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied_once(tmp_path, quarters, orientation, suffix):
    stored = np.kron(quarters, np.ones((8, 8, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(suffix, {})
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    seen, expected = images.read(tmp_path / f"a.{suffix}"), UPRIGHT[orientation](stored)
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).max() <= (4 if suffix == "jpg" else 0)


def test_a_damaged_exif_block_does_not_refuse_the_photograph(tmp_path, quarters):
    Image.fromarray(quarters).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00this is no TIFF header")
    assert images.read(tmp_path / "a.jpg").shape == (4, 6, 3)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=50, **options)
    assert images.read(tmp_path / f"a.{suffix}")[4, 4].tolist() == list(RED)


# ---- refuse


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_image_is_a_users_mistake_that_names_the_file(tmp_path, rng, suffix, share):
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{suffix}")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=rf"cut\.{suffix}"):
        images.read(tmp_path / f"cut.{suffix}")


@pytest.mark.parametrize(
    "content", [b"", b"id\tpath\n", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"II*\x00"]
)
@pytest.mark.parametrize("function", [images.read, images.check_header])
def test_what_is_no_image_is_refused_by_its_header(tmp_path, content, function):
    (tmp_path / "notes.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.jpg is (no image|empty)"):
        function(tmp_path / "notes.jpg")


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("function", [images.read, images.check_header])
def test_an_image_of_one_pixel_a_side_is_refused_with_its_size(tmp_path, size, function):
    Image.new("RGB", size).save(tmp_path / "dot.png")
    with pytest.raises(UserError, match=rf"dot\.png is {size[0]} x {size[1]} px"):
        function(tmp_path / "dot.png")


def test_a_missing_image_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png does not exist"):
        images.read(tmp_path / "gone.png")
    with pytest.raises(UserError, match="is no image"):
        images.read(tmp_path)


def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"bomb\.png has more than 2,000 pixels"):
        images.check_header(tmp_path / "bomb.png")


def test_a_good_header_passes_without_a_look_at_the_pixels(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    cut = (tmp_path / "a.png").read_bytes()[:200]
    (tmp_path / "a.png").write_bytes(cut)
    assert images.check_header(tmp_path / "a.png") == (64, 64)


def _png(pixels, bit_depth, colour_type, clear=b""):
    """A PNG file by its specification: signature, IHDR, tRNS if any, one IDAT of unfiltered rows, IEND."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(0, io.SEEK_END)
    file.write(chunk(b"IHDR", header) + (chunk(b"tRNS", clear) if clear else b""))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return file.getvalue()
