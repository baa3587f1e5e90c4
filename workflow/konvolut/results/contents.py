"""The plain objects of stored results: numpy arrays and texts, fields as drawn at the top of store.py."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from konvolut.results.evidence import Evidence


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Optimised pictures of some channels from one start; fields as drawn under pictures/{start}."""

    channel: np.ndarray
    picture: np.ndarray
    step: np.ndarray
    intermediate: np.ndarray
    curve: np.ndarray
    activation: np.ndarray
    attempt: np.ndarray
    transparency: np.ndarray | None = None
    watched: np.ndarray | None = None  # of classes alone (n, steps + 1): the probability on the way, NaN after the end

    def per_unit(self) -> tuple[str, ...]:
        """The fields with a row per unit."""
        return (*PER_UNIT, *(name for name in OF_SOME if getattr(self, name) is not None))


# Fields of Pictures with a row per unit, in all and in some.
OF_SOME = ("transparency", "watched")
PER_UNIT = tuple(field.name for field in dataclasses.fields(Pictures) if field.name not in ("step", *OF_SOME))


def rows_of(parts: Sequence[Pictures], rows: slice = slice(None)) -> Pictures:
    """Some rows (units) of each of the parts, joined; those of one part alone are not copied."""
    found = {name: [getattr(part, name)[rows] for part in parts] for name in parts[0].per_unit()}
    joined = {name: np.concatenate(values) if len(values) > 1 else values[0] for name, values in found.items()}
    return dataclasses.replace(parts[0], **joined)


@dataclasses.dataclass(frozen=True)
class LayerPicture:
    """A picture of a whole layer for one photograph; fields as drawn under layer_dreams/{image}."""

    input: np.ndarray
    picture: np.ndarray
    step: np.ndarray
    intermediate: np.ndarray
    curve: np.ndarray
    attempt: int


@dataclasses.dataclass(frozen=True)
class ClassPicture:
    """A picture of a class; fields as drawn under classes/{name}."""

    target_class: int
    target_name: str
    regularisation: str
    picture: np.ndarray
    probability: float
    steps: int
    step: np.ndarray
    intermediate: np.ndarray
    curve: np.ndarray
    probabilities: np.ndarray
    activation: np.ndarray
    held_out: np.ndarray
    attempt: int


@dataclasses.dataclass(frozen=True)
class Priors:
    """What photographs have in common; fields as drawn under priors.h5."""

    magnitude: np.ndarray
    covariance: np.ndarray
    mean: np.ndarray


@dataclasses.dataclass(frozen=True)
class LayerActivations:
    """Activations of one layer; `maps` is None where only the pooled statistics are kept."""

    maps: np.ndarray | None
    max: np.ndarray
    mean: np.ndarray
    cell: np.ndarray
    evidence: Evidence | None = None


@dataclasses.dataclass(frozen=True)
class Activations:
    """One activations file; fields as drawn in store.py. `maps_of` has the keys of the photographs with whole maps."""

    image: list[str]
    label: list[str]
    crop: np.ndarray
    predicted_class: np.ndarray
    probability: np.ndarray
    predicted_name: list[list[str]]
    layers: dict[str, LayerActivations]
    maps_of: list[str] = dataclasses.field(default_factory=list)
    problem: list[str] = dataclasses.field(default_factory=list)
    sha256: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Saliency:
    """One saliency file; fields as drawn in store.py."""

    image: list[str]
    input: np.ndarray
    target_class: np.ndarray
    target_name: list[list[str]]
    target_probability: np.ndarray
    maps: dict[str, np.ndarray]
    refused: dict[str, str] = dataclasses.field(default_factory=dict)

    def of_each(self) -> dict[str, "Saliency"]:
        """Each photograph's own, by its key; nothing is copied."""
        return {key: self._rows(slice(row, row + 1)) for row, key in enumerate(self.image)}

    def _rows(self, rows: slice) -> "Saliency":
        names = ("image", "input", "target_class", "target_name", "target_probability")
        maps = {method: values[rows] for method, values in self.maps.items()}
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in names}, maps=maps)


def joined(parts: Sequence[Saliency]) -> Saliency:
    """The photographs of all parts, which have the same methods, as one."""
    return Saliency(
        image=[key for part in parts for key in part.image],
        input=np.concatenate([part.input for part in parts]),
        target_class=np.concatenate([part.target_class for part in parts]),
        target_name=[names for part in parts for names in part.target_name],
        target_probability=np.concatenate([part.target_probability for part in parts]),
        maps={method: np.concatenate([part.maps[method] for part in parts]) for method in parts[0].maps},
        refused=parts[0].refused,
    )


@dataclasses.dataclass(frozen=True)
class Patches:
    """Squares hidden on one photograph; fields as drawn under patches/{image}."""

    picture: np.ndarray
    target_class: int
    target_name: str
    probability: float
    side: int
    corner: np.ndarray
    drop: np.ndarray
    best: np.ndarray


@dataclasses.dataclass(frozen=True)
class Kernels:
    """Weights of one convolution."""

    weight: np.ndarray


@dataclasses.dataclass(frozen=True)
class Fooling:
    """One photograph changed into several classes; fields as drawn under fooling/{image}."""

    input: np.ndarray
    predicted_class: int
    predicted_name: str
    target_class: np.ndarray
    target_name: list[str]
    picture: np.ndarray
    probability: np.ndarray
    before: np.ndarray
    steps: np.ndarray
    l2: np.ndarray
    linf: np.ndarray
    curve: np.ndarray


@dataclasses.dataclass(frozen=True)
class Inversion:
    """A picture with the features of one photograph; fields as drawn under inversion/{image}."""

    input: np.ndarray
    picture: np.ndarray
    relative_error: float
    curve: np.ndarray
