"""What photographs have in common: the strength of each wave and the spread of their colours. No torch here.

MaCo (Fel et al. 2023, arXiv 2306.06805) fixes the strength of a picture's waves to that of photographs and changes
their phases only. Its published spectrum stands under no licence that we could pass on, so that it is measured on the
user's own photographs, which also makes it right for pictures of any number of channels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from konvolut import provenance
from konvolut.asked.shards import PriorsShard
from konvolut.pictures import crops, images
from konvolut.results import store
from konvolut.results.contents import Priors

# Keeps channels that are alike (grey photographs) from dividing by zero when they are made independent.
LEAST_VARIANCE = 1e-4


def measure(pictures: Sequence[np.ndarray]) -> Priors:
    """Priors of pictures (S, S, C) in 0..1: colour covariance, and the mean |rfft2| of their independent colours."""
    count = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    mean = sum(picture.sum(axis=(0, 1), dtype=float) for picture in pictures) / count
    centred = [picture - mean for picture in pictures]
    covariance = sum(np.tensordot(c, c, axes=((0, 1), (0, 1))) for c in centred) / count
    independent = np.linalg.inv(root(covariance))
    magnitude = sum(np.abs(np.fft.rfft2(c @ independent.T, axes=(0, 1))) for c in centred) / len(centred)
    return Priors(
        magnitude=np.moveaxis(magnitude, 2, 0).astype(np.float32),
        covariance=covariance.astype(np.float32),
        mean=mean.astype(np.float32),
    )


def root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric matrix (C, C) whose square is the covariance, with LEAST_VARIANCE in every direction."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, float))
    return vectors * np.sqrt(values.clip(LEAST_VARIANCE)) @ vectors.T


def of_planes(priors: Priors, mixing: np.ndarray) -> Priors:
    """What the planes of pictures have in common, which a matrix (P, C) mixes from their C colours.

    ASSUME: independent colours are so at each wave length, so that the squares of their magnitudes add up.
    """
    covariance = mixing @ priors.covariance @ mixing.T
    weights = np.linalg.inv(root(covariance)) @ mixing @ root(priors.covariance)
    magnitude = np.sqrt(np.tensordot(weights**2, priors.magnitude.astype(float) ** 2, axes=1))
    return Priors(
        magnitude.astype(np.float32), covariance.astype(np.float32), (mixing @ priors.mean).astype(np.float32)
    )


def write(shard: PriorsShard, output: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Measure a shard's photographs, the middle square of each, and write what they have in common."""
    size, pictures = (shard.side_px, shard.side_px), []
    for photograph in shard.photographs:
        pictures.append(crops.fit(images.read(photograph.path), size, crop_pct=1.0, crop_mode="center")[0] / 255)
        progress(len(pictures), len(shard.photographs))
    passport = provenance.passport(
        technique="priors",
        photographs=[photograph.id for photograph in shard.photographs],
        side_px=shard.side_px,
        code=provenance.code_digest("pictures.priors"),
    )
    store.write_priors(Path(output), measure(pictures), passport)
