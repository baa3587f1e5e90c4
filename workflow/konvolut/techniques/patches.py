"""Maximally activated patches: the squares of a photograph whose hiding lowers its likeliest class most.

As timm-vis has them, but the photograph keeps its own aspect, the drop is signed, the squares are filled with the mean
of each colour, and rows are rows (timm-vis confuses them with columns where the photograph is no square).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from konvolut import provenance
from konvolut.asked.censuses import last_layer
from konvolut.asked.shards import PatchesShard, told
from konvolut.errors import UserError
from konvolut.network import memory, models, planes
from konvolut.network.photographs import LARGEST_8_BIT, at_own_aspect, batch_size
from konvolut.pictures import images
from konvolut.results import contents
from konvolut.results.part import Part


def compute(shard: PatchesShard, census: Path, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the squares of a shard's photographs; `census` is the layers.csv of the same model."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    if not network.class_names:
        raise UserError(f"patches: model {shard.model.id!r} has no classes (num_classes is 0)")
    end = last_layer(Path(census))
    facts = network.facts() | told(shard) | {"photographs": provenance.photographs_sha256(shard.photographs)}
    passport = provenance.passport(technique="patches", code=provenance.code_digest("techniques.patches"), **facts)
    part = Part(output, "patches", passport, [photograph.key for photograph in shard.photographs], progress)
    for photograph in [photograph for photograph in shard.photographs if photograph.key in part.missing()]:
        picture = at_own_aspect(network, end, images.read(photograph.path), shard.longest_side_px)
        part.keep({photograph.key: hide_squares(network, picture, shard.patch, shard.stride, shard.top)})
    part.finish()


def hide_squares(network: models.Network, picture: np.ndarray, patch: float, stride: float, top: int):
    """contents.Patches of a picture (H, W, 3) uint8; `patch` and `stride` as shares of the shorter side, or in px."""
    height, width = picture.shape[:2]
    side, step = (in_pixels(measure, min(height, width)) for measure in (patch, stride))
    corners = [(y, x) for y in range(0, height - side + 1, step) for x in range(0, width - side + 1, step)]
    pixels = torch.tensor(picture).to(network.device).permute(2, 0, 1).float() / LARGEST_8_BIT
    before = _probabilities(network, pixels, [None], side)[0]
    target = int(before.argmax())
    after = _probabilities(network, pixels, corners, side)[:, target]
    drop = (before[target] - after).cpu().numpy()
    return contents.Patches(
        picture=picture,
        target_class=target,
        target_name=network.class_names[target],
        probability=float(before[target]),
        side=side,
        corner=np.array(corners, np.int32),
        drop=drop.astype(np.float32),
        best=np.argsort(-drop, kind="stable")[:top].astype(np.int32),
    )


def in_pixels(measure: float, shorter_px: int) -> int:
    """A share (up to 1) of the shorter side, or a number of px (above 1), at least 1 and at most the shorter side."""
    return min(shorter_px, max(1, round(measure * shorter_px if measure <= 1 else measure)))


@torch.inference_mode()
def _probabilities(network: models.Network, pixels: Tensor, corners: list, side: int) -> Tensor:
    """(n, classes) with the square at each corner filled with the picture's mean colour, or nothing for None."""
    mean = pixels.mean((1, 2), keepdim=True)

    def answers(part: list, size: int) -> Tensor:
        hidden = pixels.repeat(size, 1, 1, 1)  # always as many, so that no library takes another kernel
        for row, corner in enumerate(part):
            if corner is not None:
                y, x = corner
                hidden[row, :, y : y + side, x : x + side] = mean
        logits = network.module(planes.normalise(network, hidden))
        return logits[: len(part)].softmax(1)

    batches = memory.Halving(batch_size(network))
    return torch.cat([found for _, found in batches.over(corners, answers)])
