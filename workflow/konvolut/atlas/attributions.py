"""Attribution maps of photographs as pictures, and which of them there are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.asked.settings import SALIENCY_METHODS
from konvolut.atlas import plates
from konvolut.pictures import colours, images
from konvolut.results import contents, store

SIGNED = ("gradient_x_input", "integrated_gradients", "occlusion")
METHODS = {  # of attribution, where another name says more
    "vanilla": "gradient",
    "positive": "positive gradient",
    "negative": "negative gradient",
    "gradient": "gradient in colours",
    "guided_backpropagation": "guided backpropagation",
    "gradient_x_input": "gradient × input",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
}
# Gradient maps have a few cells far above all others: scaled to their maximum they look black.
BRIGHTEST_QUANTILE = 0.995


@dataclass
class Attribution:
    """Maps of one target: the class and (method, file relative to images/) pairs, and (method, reason) of others.

    `lab` is the overlay of the lab notebook, scaled as there, where the vanilla gradient was asked for.
    """

    target: str
    probability: float
    seen: str
    maps: list[tuple[str, str]]
    refused: list[tuple[str, str]]
    lab: str = ""


def write_attributions(
    files: Iterable[Path], model_key: str, folder: Path, wanted: Collection[str]
) -> dict[str, list[Attribution]]:
    """The maps of a model's saliency files by photograph (key), of those that are wanted; pictures go to `folder`."""
    found: dict[str, list[Attribution]] = {}
    for path in files:
        shard = store.read_saliency(path)
        for row, key in enumerate(shard.image):
            if key not in wanted:
                continue
            (folder / key).mkdir(exist_ok=True)
            images.write_webp(folder / key / f"{model_key}-seen.webp", shard.input[row], plates.QUALITY)
            found[key] = [
                write_maps(shard, row, place, folder / key, model_key) for place in range(shard.target_class.shape[1])
            ]
    return found


def scaled_for_eyes(values: np.ndarray) -> np.ndarray:
    """A map (H, W) from its minimum to its 99.5 % quantile as 0..1; a flat map is all 0."""
    low, high = float(values.min()), float(np.quantile(values, BRIGHTEST_QUANTILE))
    if high <= low:
        high = float(values.max())
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values, dtype=float)


def map_picture(method: str, values: np.ndarray) -> np.ndarray:
    """An attribution map (H, W) or (C, H, W) as a picture; those with a sign are shown around 0."""
    if method not in SIGNED and values.ndim == 2:
        return colours.colour_map(scaled_for_eyes(values))
    limit = float(np.quantile(np.abs(values), BRIGHTEST_QUANTILE)) or float(np.abs(values).max()) or 1.0
    return (colours.in_colours if values.ndim == 3 else colours.diverging)(values / limit)


def write_maps(shard: contents.Saliency, row: int, place: int, folder: Path, model_key: str) -> Attribution:
    """The maps of one photograph of a saliency file and one of its targets as pictures in `folder`."""
    maps, lab = [], ""
    for method in sorted(shard.maps, key=SALIENCY_METHODS.index):
        name = f"{model_key}-{place}-{method}.webp"
        values = shard.maps[method][row, place]
        images.write_webp(folder / name, map_picture(method, values), plates.QUALITY)
        maps.append((method, quote(f"saliency/{folder.name}/{name}")))
        if method == "vanilla":
            name = f"{model_key}-{place}-lab.webp"
            over = colours.overlay(shard.input[row], colours.scaled01(values))
            images.write_webp(folder / name, over, plates.QUALITY)
            lab = quote(f"saliency/{folder.name}/{name}")
    return Attribution(
        shard.target_name[row][place],
        float(shard.target_probability[row, place]),
        quote(f"saliency/{folder.name}/{model_key}-seen.webp"),
        maps,
        sorted(shard.refused.items(), key=lambda entry: SALIENCY_METHODS.index(entry[0])),
        lab,
    )
