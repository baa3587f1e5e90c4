"""The units most alike to those that have pictures, and what the pictures do to them; see trust.py."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from konvolut.results import store
from konvolut.results.evidence import Trust


class Twins:
    """The units most alike to the pictured channels of a layer, one of each relation, and what pictures do to them."""

    def __init__(self, alike: Path, layer: str, channels: np.ndarray) -> None:
        self.channels = channels
        places, relations = store.read_alike(alike, layer)
        self.places = list(places)
        self.relations = list(relations)
        shape = (len(channels), len(relations))
        self.place, self.unit = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
        self.correlation, self.reached, self.deviations, self.best = (
            np.full(shape, np.nan, np.float32) for _ in range(4)
        )
        self.path: tuple[list[str], np.ndarray] = ([], np.zeros((len(channels), 0, 4), np.float32))
        for column, found in enumerate(relations.values()):
            first = found.correlation[channels, 0] if found.correlation.shape[1] else np.full(len(channels), np.nan)
            known = first > found.chance
            self.place[known, column] = found.place[channels[known], 0]
            self.unit[known, column] = found.unit[channels[known], 0]
            self.correlation[known, column] = first[known]

    def layers_of(self, model: str) -> list[str]:
        """Layers of a model in which there are twins."""
        used = sorted({int(place) for place in self.place[self.place >= 0]})
        return [self.places[place][1] for place in used if self.places[place][0] == model]

    def note(self, model: str, examples: Path, reached: Mapping[str, np.ndarray]) -> None:
        """Take in the maxima (n, C) of the pictures in layers of a model, beside what photographs do there."""
        for layer in self.layers_of(model):
            natural = store.read_examples(examples, [layer]).layers[layer]
            rows, columns = np.nonzero(self.place == self.places.index((model, layer)))
            units = self.unit[rows, columns]
            values = reached[layer][rows, units]
            self.reached[rows, columns], self.best[rows, columns] = values, natural.max[units]
            self.deviations[rows, columns] = (values - natural.mean[units]) / natural.std[units]

    def take(self, known: Trust) -> None:
        """What `trust` said of the same twins before."""
        self.reached, self.best, self.deviations = known.twin_reached, known.twin_best, known.twin_deviations
        self.path = (known.below, np.concatenate([known.path[..., None], known.similarity], -1))

    def trust(self) -> Trust:
        """All that was noted."""
        below, path = self.path
        return Trust(
            channel=self.channels,
            below=below,
            path=path[..., 0],
            similarity=path[..., 1:],
            relation=self.relations,
            twin_model=[model for model, _ in self.places],
            twin_layer=[layer for _, layer in self.places],
            twin_place=self.place,
            twin_unit=self.unit,
            twin_correlation=self.correlation,
            twin_reached=self.reached,
            twin_best=self.best,
            twin_deviations=self.deviations,
        )
