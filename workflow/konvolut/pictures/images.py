"""Photographs and pictures: files and encoded bytes <-> arrays (height, width, 3) of uint8; the only door to Pillow.

No torch here. Every encoder is deterministic: the same array gives the same bytes.
"""

import io
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from konvolut.asked.options import INTERPOLATIONS
from konvolut.errors import UserError

# What a side of less says nothing about; a picture of one pixel is most often a placeholder of a web page.
SHORTEST_SIDE_PX = 2
LARGEST_16_BIT, LARGEST_8_BIT = 65535, 255
TIFF_PHOTOMETRIC = 262  # the tag that says what 0 is
WHITE = (255, 255, 255, 255)
# More threads than this do not decode faster than a GPU looks.
MOST_DECODERS = 8
LYING = (5, 6, 7, 8)  # EXIF orientations that swap height and width
RESAMPLING = {name: Image.Resampling[name.upper()] for name in INTERPOLATIONS}
# Effort, 0..6. At quality 75 a plate of photographs takes 28 ms and 111 KB (SSIM .939) with 0, 43 ms and 97 KB (.941)
# with 2, 88 ms and 93 KB (.944) with 4, 235 ms and 89 KB (.940) with 6; pictures of channels are alike in this.
WEBP_METHOD = 2


def read(path: str | Path, shortest_px: int | None = None) -> np.ndarray:
    """A photograph as it is seen: upright, (H, W, 3) uint8.

    With `shortest_px` a JPEG whose sides are twice as long or more is decoded at a half, a quarter or an eighth, as far
    as no side gets shorter: faster, but not the pixels of the whole photograph shrunk.
    16-bit grey is scaled to 8 bits (0 is white where the file says so), alpha lies on white, of an animation comes the
    first frame, CMYK, palette and grey become RGB. Raises UserError naming a file that is missing, no image, cut off,
    or too small.
    """
    with _opened(path) as image:
        _check_size(image, path)
        return _decoded(image, path, shortest_px)


def check(path: str | Path) -> tuple[int, int]:
    """Height and width as seen upright; raises what `read` raises, of a JPEG in a fraction of its time.

    All of its bytes are decoded, but not all of its pixels are made.
    """
    with _opened(path) as image:
        _check_size(image, path)
        sides = image.size
        _decoded(image, path, 1)
        return sides if _orientation(image) in LYING else sides[::-1]


def decoders() -> int:
    """How many threads decode photographs side by side; Pillow lets go of Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_DECODERS, cores)


def _decoded(image: Image.Image, path: str | Path, shortest_px: int | None) -> np.ndarray:
    try:
        if shortest_px:
            image.draft("RGB", (shortest_px, shortest_px))
        image.load()
        return np.asarray(_as_rgb(_turned_upright(image), path, is_negative=_is_negative(image)))
    # Pillow's decoders raise what they like on broken bytes: OSError, SyntaxError, struct.error, IndexError, ...
    except Exception as error:
        if isinstance(error, MemoryError | UserError):
            raise
        raise UserError(f"{path} cannot be decoded, it is cut off, damaged or unusual: {_reason(error)}") from error


def check_header(path: str | Path) -> tuple[int, int]:
    """Height and width as seen upright; UserError if the first bytes tell that it is no photograph; decodes nothing."""
    with _opened(path) as image:
        _check_size(image, path)
        width, height = image.size
        hidden = (
            image.format == "PNG" and "exif" not in image.info
        )  # Pillow would decode the pixels to look behind them
        return (width, height) if not hidden and _orientation(image) in LYING else (height, width)


def shrink(photo: np.ndarray, longest_px: int) -> np.ndarray:
    """The photograph with no side above `longest_px`, its aspect kept; never enlarged."""
    height, width = photo.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return photo
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


def scaled(picture: np.ndarray, height: int, width: int, interpolation: str = "bicubic") -> np.ndarray:
    """The (H, W, 3) picture on height x width px, whatever its aspect; read-only."""
    return np.asarray(Image.fromarray(picture).resize((width, height), RESAMPLING[interpolation]))


def encode_webp(picture: np.ndarray, quality: int) -> bytes:
    """A picture (H, W, 3) or (H, W) of uint8 as lossy WebP, `quality` 0..100."""
    return _encoded(picture, "WEBP", quality=quality, method=WEBP_METHOD)


def encode_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) or (H, W) of uint8 as PNG."""
    return _encoded(picture, "PNG", compress_level=6)


def encode_animation(frames: Sequence[np.ndarray], quality: int, frame_ms: int, last_ms: int) -> bytes:
    """Pictures (H, W, 3) of uint8 one after another as an animated WebP that begins anew; the last one stays longer."""
    first, *others = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    durations = [frame_ms] * len(others) + [last_ms]
    buffer = io.BytesIO()
    options = {"quality": quality, "method": WEBP_METHOD, "loop": 0, "duration": durations}
    first.save(buffer, "WEBP", save_all=True, append_images=others, **options)
    return buffer.getvalue()


def write_animation(
    path: str | Path, frames: Sequence[np.ndarray], quality: int, frame_ms: int = 90, last_ms: int = 1800
) -> None:
    """Write encode_animation's bytes; the file appears whole or not at all."""
    _write_whole(Path(path), encode_animation(frames, quality, frame_ms, last_ms))


def write_webp(path: str | Path, picture: np.ndarray, quality: int) -> None:
    """Write encode_webp's bytes; the file appears whole or not at all."""
    _write_whole(Path(path), encode_webp(picture, quality))


def write_png(path: str | Path, picture: np.ndarray) -> None:
    """Write encode_png's bytes; the file appears whole or not at all."""
    _write_whole(Path(path), encode_png(picture))


def decode(data: bytes) -> np.ndarray:
    """The picture (H, W, 3) uint8 of bytes that one of the encoders made."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _opened(path: str | Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path} has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller") from None
    # An image whose header is broken makes its plugin raise what it likes; Pillow itself raises OSErrors.
    except Exception as error:
        is_empty = os.path.isfile(path) and os.path.getsize(path) == 0
        what = "is empty (0 bytes)" if is_empty else "is no image that can be read"
        raise UserError(f"{path} {what}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "its first bytes are those of no known format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _check_size(image: Image.Image, path: str | Path) -> None:
    if min(image.size) < SHORTEST_SIDE_PX:
        width, height = image.size
        raise UserError(f"{path} is {width} x {height} px: too small, a side needs {SHORTEST_SIDE_PX} px at least")


def _turned_upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation wants it seen; a damaged EXIF block wants nothing."""
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1


def _is_negative(image: Image.Image) -> bool:
    """Whether 0 is white and Pillow leaves it so: MinIsWhite TIFFs of 16 bits (it inverts those of 8 and of 1)."""
    is_16_bit = image.mode.startswith("I")
    return image.format == "TIFF" and is_16_bit and image.tag_v2.get(TIFF_PHOTOMETRIC) == 0


def _as_rgb(image: Image.Image, path: str | Path, *, is_negative: bool = False) -> Image.Image:
    # ASSUME: embedded colour profiles say nothing, as in timm's and torchvision's loaders, so that a network sees the
    # numbers that it was trained on; a Display P3 photograph looks slightly pale.
    if image.mode.startswith(("I", "F")):
        grey = _scaled_to_8_bit(np.asarray(image), path)
        grey = LARGEST_8_BIT - grey if is_negative else grey
        clear = image.info.get("transparency")  # of 16-bit grey PNGs the one value that is not there
        grey = grey if clear is None else np.where(np.asarray(image) == clear, np.uint8(LARGEST_8_BIT), grey)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, WHITE), clear).convert("RGB")
    return image.convert("RGB")


def _scaled_to_8_bit(values: np.ndarray, path: str | Path) -> np.ndarray:
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > LARGEST_16_BIT:
        raise UserError(
            f"{path}: its pixels are numbers without an agreed white: save it with 8 or 16 bits per channel"
        )
    return np.rint(values / LARGEST_16_BIT * LARGEST_8_BIT).astype(np.uint8)


def _encoded(picture: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
