"""What was tried on a photograph: hidden squares, fooling, inversion; pictures are written on the way."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.atlas import plates
from konvolut.atlas.charts import curve_points
from konvolut.atlas.inputs import ImageModel
from konvolut.pictures import colours, images
from konvolut.results import contents, store

FRAME = (255, 255, 255)
FRAME_PX = 2
FULL_QUANTILE = 0.995


@dataclass(frozen=True)
class HiddenSquares:
    """The squares that the likeliest class needs most: files relative to images/ and the drops of its probability."""

    name: str
    probability: float
    whole: str
    squares: list[tuple[str, float]]


@dataclass(frozen=True)
class Fooled:
    """A photograph changed into another class, or given up; `change` is shown around grey, see strongest(), `curve` is
    that of the probability from 0 to 1, see charts.py."""

    target: str
    is_fooled: bool
    probability: float
    before: float
    steps: int
    l2: float
    linf: float
    picture: str
    change: str
    curve: str


@dataclass(frozen=True)
class Remembered:
    """A picture with the features of a photograph in one layer."""

    layer: str
    relative_error: float
    picture: str


@dataclass(frozen=True)
class Trials:
    """All of one model and one photograph; what was not computed is None or empty."""

    patches: HiddenSquares | None = None
    fooled: list[Fooled] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)


class TrialWriter:
    """Writes the pictures of one model's trials to {folder}/{photograph}/{model}-*, `folder` lying in images/."""

    def __init__(self, source: ImageModel, model_key: str, folder: Path) -> None:
        self.model_key, self.folder = model_key, Path(folder)
        self.patches = _read(source.patches, contents.Patches)
        self.fooling = _read(source.fooling, contents.Fooling)
        self.enough = store.read_passport(source.fooling[0])["min_prob"] if source.fooling else None
        self.inversion = [(layer, _read(paths, contents.Inversion)) for layer, paths in source.inversion]

    def trials(self, key: str) -> Trials:
        """What there is of the photograph with that key."""
        squares = self._squares(key, self.patches[key]) if key in self.patches else None
        fooled = self._fooled(key, self.fooling[key]) if key in self.fooling else []
        remembered = [
            Remembered(layer, float(found[key].relative_error), self._file(key, f"knows-{layer}", found[key].picture))
            for layer, found in self.inversion
            if key in found
        ]
        return Trials(squares, fooled, remembered)

    def _squares(self, key: str, found: contents.Patches) -> HiddenSquares:
        side = int(found.side)
        squares = []
        for rank, row in enumerate(found.best):
            y, x = found.corner[row]
            name = self._file(key, f"square-{rank}", found.picture[y : y + side, x : x + side])
            squares.append((name, float(found.drop[row])))
        whole = framed(found.picture, found.corner[found.best[:1]], side)
        return HiddenSquares(found.target_name, float(found.probability), self._file(key, "squares", whole), squares)

    def _fooled(self, key: str, found: contents.Fooling) -> list[Fooled]:
        made = []
        for row, target in enumerate(found.target_name):
            change = found.picture[row].astype(float) - found.input
            shown = colours.in_colours((change / strongest(change)).transpose(2, 0, 1))
            made.append(
                Fooled(
                    target=target,
                    is_fooled=bool(found.probability[row] >= self.enough),
                    **{name: float(getattr(found, name)[row]) for name in ("probability", "before", "l2", "linf")},
                    steps=int(found.steps[row]),
                    # Without loss: the model must be fooled by the file that a reader saves.
                    picture=self._file(key, f"fooled-{row}", found.picture[row], suffix="png"),
                    change=self._file(key, f"change-{row}", shown),
                    curve=curve_points(found.curve[row], 0.0, 1.0),
                )
            )
        return made

    def _file(self, key: str, name: str, picture: np.ndarray, suffix: str = "webp") -> str:
        path = self.folder / key / f"{self.model_key}-{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == "png":
            images.write_png(path, picture)
        else:
            images.write_webp(path, picture, plates.QUALITY)
        return quote(f"{self.folder.name}/{key}/{path.name}")


def strongest(change: np.ndarray) -> float:
    """What is shown in full of a change in 0..255: a few pixels change far more than all others, and would leave them
    grey; at least one level."""
    return max(1.0, float(np.quantile(np.abs(change), FULL_QUANTILE)))


def framed(picture: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """A copy of the picture (H, W, 3) with squares of `side` px drawn in white."""
    drawn = picture.copy()
    for y, x in corners:
        inside = picture[y + FRAME_PX : y + side - FRAME_PX, x + FRAME_PX : x + side - FRAME_PX]
        drawn[y : y + side, x : x + side] = FRAME
        drawn[y + FRAME_PX : y + side - FRAME_PX, x + FRAME_PX : x + side - FRAME_PX] = inside
    return drawn


def _read(paths: tuple[Path, ...], kind: type) -> dict:
    return {key: content for path in paths for key, content in store.read_named(path, kind).items()}
