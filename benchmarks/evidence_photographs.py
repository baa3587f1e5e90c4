"""Photographs of mixed sizes for benchmarks: parts of scikit-image's, resized, turned, written as JPEG and PNG."""

import csv
from pathlib import Path

import numpy as np
import skimage

from konvolut.pictures import crops, images

SOURCES = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field")
SOURCES += ("ihc", "motorcycle_left", "retina", "rocket", "skin")
LEAST_PART, SHORTEST_PX, LONGEST_PX = 0.25, 160, 1280
JPEG_SHARE, JPEG_QUALITY = 0.8, 88


def write_photographs(folder: Path, count: int, seed: int = 0) -> None:
    """`count` photographs and images.tsv, a row each with the source as label; the same for the same seed."""
    rng = np.random.default_rng(seed)
    data = Path(skimage.__file__).parent / "data"
    found = {path.stem: path for name in SOURCES for path in data.glob(f"{name}.*")}
    sources = {name: images.read(path) for name, path in sorted(found.items())}
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        name = list(sources)[number % len(sources)]
        photo = np.rot90(_part(sources[name], rng), rng.integers(0, 4))
        jpeg = rng.random() < JPEG_SHARE
        path = folder / f"{number:06}.{'jpg' if jpeg else 'png'}"
        path.write_bytes(images._encoded(photo, "JPEG", quality=JPEG_QUALITY) if jpeg else images.encode_png(photo))
        rows.append((f"{number:06}", path, name))
    with (folder / "images.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([("id", "path", "label"), *rows])


def _part(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of a photograph of any aspect, resized."""
    share = rng.uniform(LEAST_PART, 1, 2)
    tall, wide = (max(16, round(side * part)) for side, part in zip(photo.shape[:2], share, strict=True))
    top, left = rng.integers(0, photo.shape[0] - tall + 1), rng.integers(0, photo.shape[1] - wide + 1)
    part = photo[top : top + tall, left : left + wide]
    scale = rng.uniform(SHORTEST_PX, LONGEST_PX) / max(tall, wide)
    size = (max(16, round(tall * scale)), max(16, round(wide * scale)))
    return crops.fit(part, size, crop_pct=1.0, crop_mode="squash")[0]
