"""The plain objects of stored results: numpy arrays and texts, fields as drawn at the top of store.py."""

import dataclasses

import numpy as np


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


@dataclasses.dataclass(frozen=True)
class LayerActivations:
    """Activations of one layer; `maps` is None where only the pooled statistics are kept."""

    maps: np.ndarray | None
    max: np.ndarray
    mean: np.ndarray
    cell: np.ndarray


@dataclasses.dataclass(frozen=True)
class Activations:
    """One activations file; fields as drawn in store.py."""

    image: list[str]
    label: list[str]
    crop: np.ndarray
    predicted_class: np.ndarray
    probability: np.ndarray
    predicted_name: list[list[str]]
    layers: dict[str, LayerActivations]


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


@dataclasses.dataclass(frozen=True)
class LayerExamples:
    """What excites the units of one layer; fields as drawn under layers/{layer} of an examples file."""

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


@dataclasses.dataclass(frozen=True)
class Examples:
    """One examples file: the photographs' keys and what each layer's units make of them."""

    image: list[str]
    layers: dict[str, LayerExamples]
