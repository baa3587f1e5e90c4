"""The plain objects of what photographs say about units: numpy arrays and texts, fields as drawn in store.py."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Best:
    """The photographs of a file that excite each unit most; fields as drawn under evidence/best."""

    image: np.ndarray
    value: np.ndarray
    cell: np.ndarray


@dataclasses.dataclass(frozen=True)
class Moments:
    """Sums over each unit's maxima; fields as drawn under evidence/moments."""

    count: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    positive: np.ndarray
    rectified: np.ndarray
    rectified_squares: np.ndarray


@dataclasses.dataclass(frozen=True)
class Sketch:
    """The distribution of each unit's maxima in a few bins; fields as drawn under evidence/sketch, see sketches.py."""

    code: np.ndarray
    count: np.ndarray
    image: np.ndarray
    value: np.ndarray
    cell: np.ndarray
    dropped: np.ndarray


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the photographs of one file say about the units of one layer, so that files can be merged."""

    best: Best
    moments: Moments
    sketch: Sketch


@dataclasses.dataclass(frozen=True)
class LayerExamples:
    """What excites the units of one layer; fields as drawn under layers/{layer} of an examples file.

    What stands below `edges` is None in files made before it was known.
    """

    image: np.ndarray
    value: np.ndarray
    cell: np.ndarray
    box: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    max: np.ndarray
    active: np.ndarray
    histogram: np.ndarray
    edges: np.ndarray
    quantiles: np.ndarray | None = None
    dead: np.ndarray | None = None
    selectivity: np.ndarray | None = None
    class_index: np.ndarray | None = None
    class_share: np.ndarray | None = None
    quantile_image: np.ndarray | None = None
    quantile_value: np.ndarray | None = None
    quantile_cell: np.ndarray | None = None
    quantile_box: np.ndarray | None = None
    effective_px: float | None = None


@dataclasses.dataclass(frozen=True)
class Examples:
    """One examples file: keys of the photographs that are shown, and what each layer's units make of all of them.

    `photographs` is how many there were, `classes` the names that class_index counts, `classes_are` labels or
    predictions.
    """

    image: list[str]
    layers: dict[str, LayerExamples]
    photographs: int = 0
    classes: list[str] = dataclasses.field(default_factory=list)
    classes_are: str = ""


@dataclasses.dataclass(frozen=True)
class Alike:
    """The units most alike to each unit of a layer, most alike first; fields as drawn under a relation of alike.h5."""

    place: np.ndarray
    unit: np.ndarray
    correlation: np.ndarray
    chance: float


@dataclasses.dataclass(frozen=True)
class Trust:
    """How far pictures of a layer's channels can be trusted; fields as drawn under trust/{layer}."""

    channel: np.ndarray
    below: list[str]
    path: np.ndarray
    similarity: np.ndarray
    relation: list[str]
    twin_model: list[str]
    twin_layer: list[str]
    twin_place: np.ndarray
    twin_unit: np.ndarray
    twin_correlation: np.ndarray
    twin_reached: np.ndarray
    twin_best: np.ndarray
    twin_deviations: np.ndarray
