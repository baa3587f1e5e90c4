"""Watches the climbs of class pictures: how probable each class is, and when the saved picture is enough."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from konvolut.network.models import Network
from konvolut.network.photographs import as_inputs
from konvolut.pictures.climb import Looks, Start, to_u8

SCORES = ""  # the whole model, as named_modules() calls it


class Watch:
    """Notes the probability of each picture's class at each step; a picture is finished, and stays as it is, when it
    has as much as was asked for, also with the 8 bits in which it is saved. The climb ends with the last one."""

    def __init__(self, network: Network, targets: Tensor, enough: Sequence[float | None]) -> None:
        """`targets` (B,) classes; `enough` the probability asked for of each, None: all steps."""
        self.network, self.targets, self.noted = network, targets, []
        self.enough = torch.tensor([np.inf if one is None else one for one in enough], device=targets.device)
        self.is_finished = torch.zeros(len(targets), dtype=torch.bool, device=targets.device)
        self.finished: Tensor | None = None

    def __call__(self, looks: Looks, start: Start) -> bool:
        seen = self._own(looks[SCORES].output.detach()[:, :, 0, 0])
        self.noted.append(seen.masked_fill(self.is_finished, torch.nan))
        if not (~self.is_finished & (seen >= self.enough)).any():
            return False
        pictures = to_u8(start.pictures())
        is_enough = ~self.is_finished & (seen >= self.enough) & (self.of(pictures) >= self.enough)
        rows = is_enough.cpu()
        self.finished = (
            pictures if self.finished is None else torch.where(rows.view(-1, 1, 1, 1), pictures, self.finished)
        )
        self.is_finished |= is_enough
        return bool(self.is_finished.all())

    def pictures(self, last: Tensor) -> Tensor:
        """The pictures (B, H, W, 3) uint8: of those that were finished as they were then, of the others the last."""
        if self.finished is None:
            return last
        return torch.where(self.is_finished.cpu().view(-1, 1, 1, 1), self.finished, last)

    def probabilities(self, count: int) -> np.ndarray:
        """(B, count) float32: before each step and at the end, NaN after it."""
        noted = torch.stack(self.noted, dim=1).cpu().numpy()
        return np.pad(noted, ((0, 0), (0, count - noted.shape[1])), constant_values=np.nan)

    @torch.no_grad()
    def of(self, pictures_u8: Tensor) -> Tensor:
        """(B,) of finished pictures (B, H, W, 3) uint8."""
        return self._own(self.network.module(as_inputs(self.network, pictures_u8.numpy())))

    def _own(self, scores: Tensor) -> Tensor:
        return scores.float().softmax(1)[torch.arange(len(scores), device=scores.device), self.targets]
