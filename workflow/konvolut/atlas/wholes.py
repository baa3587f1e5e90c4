"""Pictures of a layer as a whole, one per photograph: what all its channels dream into it, what it sees in it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.atlas import plates
from konvolut.atlas.charts import curve_points
from konvolut.atlas.inputs import LayerInputs
from konvolut.pictures import images
from konvolut.results import contents, store

TECHNIQUES = ("layer_dreams", "caricature")
STEPS_PX = 72  # height of the row of intermediate pictures


@dataclass(frozen=True)
class Whole:
    """One picture of a layer: files beside its page, points of the curve (see charts.py), and where it comes from."""

    technique: str
    start: str
    name: str
    picture: str
    steps: str
    curve: str
    rise: list[float]
    step_count: int
    passport: dict

    def within(self, folder_url: str) -> dict:
        """The same as plain data, its files as seen from another page."""
        files = {kind: f"{folder_url}/{getattr(self, kind)}" for kind in ("picture", "steps") if getattr(self, kind)}
        return asdict(self) | files


def write_wholes(inputs: LayerInputs, folder: Path) -> list[Whole]:
    """Write the pictures of one layer and rows of how they came to be."""
    found = []
    for technique in TECHNIQUES:
        made = _read(getattr(inputs, technique))
        for photo in inputs.photographs:
            if photo.key in made:
                content, passport = made[photo.key]
                found.append(_write(technique, photo, content, passport, Path(folder), inputs.settings.large_px))
    return found


def _read(paths: Iterable[Path]) -> dict[str, tuple[contents.LayerPicture, dict]]:
    return {
        key: (content, store.read_passport(path))
        for path in paths
        for key, content in store.read_named(path, contents.LayerPicture).items()
    }


def _write(technique: str, photo, content: contents.LayerPicture, passport: dict, folder: Path, large_px: int) -> Whole:
    prefix = f"{technique}-{photo.key}"
    images.write_webp(folder / f"{prefix}.webp", images.shrink(content.picture, large_px * 3 // 2), plates.QUALITY)
    steps = ""
    if len(content.intermediate):
        steps = f"steps-{prefix}.webp"
        images.write_webp(folder / steps, row_of(content.intermediate, STEPS_PX), plates.QUALITY)
    return Whole(
        technique=technique,
        start=photo.key,
        name=photo.label or photo.id,
        picture=quote(f"{prefix}.webp"),
        steps=quote(steps),
        curve=curve_points(content.curve),
        rise=[float(content.curve[0]), float(content.curve[-1])],
        step_count=len(content.curve) - 1,
        passport=passport,
    )


def row_of(pictures: np.ndarray, height_px: int) -> np.ndarray:
    """Pictures (n, H, W, 3) beside one another, each `height_px` high."""
    width = max(1, round(pictures.shape[2] * height_px / pictures.shape[1]))
    return np.concatenate([plates.resized(one, height_px, width) for one in pictures], axis=1)
