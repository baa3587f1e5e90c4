"""The HDF5 layout of every result, drawn here, and the only door to h5py.

Every file carries the root attributes `format` ("konvolut/1"), `kind` and `passport` (JSON). Text is UTF-8.
Files appear whole or not at all: they are written under a temporary name and renamed.

    results/{model}/activations/{first}-{last}.h5              kind = activations, one row per photograph
    ├── image                   (n,) str       keys of the photographs, in the order of the image sheet
    ├── label                   (n,) str       labels of the sheet ("" where none)
    ├── crop                    (n, 4) float32 what the model saw of the upright photograph: left, top, right, bottom
    │                                          in 0..1 (below 0 or above 1 where it was padded)
    ├── predictions/class       (n, 5) int32   the five likeliest classes
    ├── predictions/probability (n, 5) float32
    ├── predictions/name        (n, 5) str
    └── layers/{layer}/         a layer's name is used verbatim
        ├── maps                (n, C, H, W) float16 | float32, one chunk = one channel of a few photographs
        ├── max                 (n, C) float32 maximum over H, W
        ├── mean                (n, C) float32
        └── cell                (n, C, 2) int32 row and column of the (first) maximum

    results/{model}/channels/{layer}/{first}-{last}.h5         kind = channels, start is always "noise"
    results/{model}/dreams/{layer}/{first}-{last}.h5           kind = dreams, start is the key of a photograph
    └── pictures/{start}/
        ├── channel             (n,) int32
        ├── picture             (n, H, W, 3) uint8, sRGB
        ├── step                (m,) int32     after how many steps each intermediate was kept
        ├── intermediate        (n, m, H, W, 3) uint8
        ├── curve               (n, steps + 1) float32  the objective before each step and at the end
        ├── activation          (n, 4) float32 of the finished 8-bit picture: clean mean, clean max, mean and max under
        │                                      held-out transforms (medians)
        └── attempt             (n,) int32     0, or how many retries of the ladder it took

    results/{model}/saliency/{first}-{last}.h5                 kind = saliency, one row per photograph
    ├── image                   (n,) str
    ├── input                   (n, H, W, 3) uint8      what the model saw
    ├── target/class            (n, k) int32
    ├── target/name             (n, k) str
    ├── target/probability      (n, k) float32
    └── maps/{method}           (n, k, H, W) float32 (method vanilla, positive, negative: >= 0)

    results/{model}/examples.h5                                kind = examples
    ├── image                   (n,) str
    └── layers/{layer}/
        ├── image               (C, k) int32   rows of /image, best first
        ├── value               (C, k) float32
        ├── cell                (C, k, 2) int32
        ├── box                 (C, k, 4) float32  receptive field of the cell in the whole photograph as it is seen
        │                                          upright: left, top, right, bottom in 0..1, clipped to the photograph
        ├── mean, std, max      (C,) float32   of the unit's maxima over the photographs
        ├── active              (C,) float32   share of photographs with a maximum > 0
        ├── histogram           (C, 24) int32  of the unit's maxima
        └── edges               (C, 25) float32
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from konvolut.errors import UserError

FORMAT = "konvolut/1"
TEXT = h5py.string_dtype("utf-8")
# Bytes of one chunk of maps: found by reading one channel over all photographs and one photograph over all channels;
# below 16 KB the per-chunk cost wins, above 1 MB the other direction reads too much.
CHUNK_BYTES = 128 * 1024


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
    """One activations file; fields as drawn in the module's docstring."""

    image: list[str]
    label: list[str]
    crop: np.ndarray
    predicted_class: np.ndarray
    probability: np.ndarray
    predicted_name: list[list[str]]
    layers: dict[str, LayerActivations]


@dataclasses.dataclass(frozen=True)
class Saliency:
    """One saliency file; fields as drawn in the module's docstring."""

    image: list[str]
    input: np.ndarray
    target_class: np.ndarray
    target_name: list[list[str]]
    target_probability: np.ndarray
    maps: dict[str, np.ndarray]


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


def write_pictures(path: Path, kind: str, pictures: Mapping[str, Pictures], passport: dict) -> None:
    """Write optimised pictures by start ("noise" or a photograph's key)."""
    with _new_file(path, kind, passport) as file:
        for start, content in pictures.items():
            group = file.create_group(f"pictures/{start}")
            for name, values in _fields(content).items():
                _put(group, name, values, rows_per_chunk=1 if name in ("picture", "intermediate") else None)


def read_pictures(path: Path) -> dict[str, Pictures]:
    """Read what write_pictures wrote; raises UserError for a file that is none of ours."""
    with _open(path) as file:
        return {start: _read_fields(Pictures, group) for start, group in file["pictures"].items()}


def write_activations(path: Path, activations: Activations, passport: dict, compression: str) -> None:
    """Write activations; `compression` of the maps: blosc-lz4 (fast, needs the hdf5plugin filter), gzip or none."""
    with _new_file(path, "activations", passport) as file:
        _put_text(file, "image", activations.image)
        _put_text(file, "label", activations.label)
        _put(file, "crop", activations.crop)
        _put(file, "predictions/class", activations.predicted_class)
        _put(file, "predictions/probability", activations.probability)
        _put_text(file, "predictions/name", activations.predicted_name)
        for layer, content in activations.layers.items():
            group = file.create_group(f"layers/{layer}")
            for name, values in _fields(content).items():
                if name != "maps":
                    _put(group, name, values)
                elif values is not None:
                    group.create_dataset(
                        name, data=values, chunks=map_chunks(values), fletcher32=True, **_filter(compression)
                    )


def read_activations(path: Path, maps: bool = False) -> Activations:
    """Read an activations file; the maps themselves only where asked for."""
    with _open(path) as file:
        return Activations(
            image=_text(file["image"]),
            label=_text(file["label"]),
            crop=file["crop"][()],
            predicted_class=file["predictions/class"][()],
            probability=file["predictions/probability"][()],
            predicted_name=_text(file["predictions/name"]),
            layers={
                layer: LayerActivations(
                    maps=group["maps"][()] if maps and "maps" in group else None,
                    **{name: group[name][()] for name in ("max", "mean", "cell")},
                )
                for layer, group in file["layers"].items()
            },
        )


def write_saliency(path: Path, saliency: Saliency, passport: dict) -> None:
    """Write attribution maps."""
    with _new_file(path, "saliency", passport) as file:
        _put_text(file, "image", saliency.image)
        _put(file, "input", saliency.input, rows_per_chunk=1)
        _put(file, "target/class", saliency.target_class)
        _put_text(file, "target/name", saliency.target_name)
        _put(file, "target/probability", saliency.target_probability)
        for method, maps in saliency.maps.items():
            _put(file, f"maps/{method}", maps, rows_per_chunk=1)


def read_saliency(path: Path) -> Saliency:
    """Read what write_saliency wrote."""
    with _open(path) as file:
        return Saliency(
            image=_text(file["image"]),
            input=file["input"][()],
            target_class=file["target/class"][()],
            target_name=_text(file["target/name"]),
            target_probability=file["target/probability"][()],
            maps={method: maps[()] for method, maps in file["maps"].items()},
        )


def write_examples(path: Path, examples: Examples, passport: dict) -> None:
    """Write the examples of every layer of a model."""
    with _new_file(path, "examples", passport) as file:
        _put_text(file, "image", examples.image)
        for layer, content in examples.layers.items():
            group = file.create_group(f"layers/{layer}")
            for name, values in _fields(content).items():
                _put(group, name, values)


def read_examples(path: Path, layers: list[str] | None = None) -> Examples:
    """Read an examples file, or only some of its layers."""
    with _open(path) as file:
        wanted = file["layers"].keys() if layers is None else [name for name in layers if name in file["layers"]]
        return Examples(
            image=_text(file["image"]),
            layers={layer: _read_fields(LayerExamples, file["layers"][layer]) for layer in wanted},
        )


def read_passport(path: Path) -> dict:
    """The provenance of a result file."""
    with _open(path) as file:
        return json.loads(file.attrs["passport"])


def map_chunks(maps: np.ndarray) -> tuple[int, int, int, int]:
    """Chunk shape for (n, C, H, W) maps: whole maps, split between photographs and channels as evenly as fits."""
    count, channels, height, width = maps.shape
    cells = max(1, CHUNK_BYTES // max(1, height * width * maps.itemsize))
    photographs = min(count, max(1, round(cells**0.5)))
    return photographs, min(channels, max(1, cells // photographs)), height, width


@contextlib.contextmanager
def _new_file(path: Path, kind: str, passport: dict) -> Iterator[h5py.File]:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with h5py.File(temporary, "w", libver=("earliest", "v114")) as file:
            file.attrs["format"] = FORMAT
            file.attrs["kind"] = kind
            file.attrs["passport"] = json.dumps(passport, sort_keys=True, ensure_ascii=False)
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is not a readable HDF5 file ({error}); delete it and run the same command") from error
    with file:
        if file.attrs.get("format") != FORMAT:
            raise UserError(
                f"{path} has the format {file.attrs.get('format')!r}, this version reads {FORMAT!r}; "
                "move the results folder away and run again"
            )
        yield file


def _put(group: h5py.Group, name: str, values: np.ndarray, rows_per_chunk: int | None = None) -> None:
    values = np.asarray(values)
    if values.size == 0:
        group.create_dataset(name, data=values)
        return
    chunks = (rows_per_chunk, *values.shape[1:]) if rows_per_chunk else True
    group.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **_filter("gzip"))


def _put_text(group: h5py.Group, name: str, values: list) -> None:
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=TEXT)


def _text(dataset: h5py.Dataset) -> list:
    return dataset.asstr()[()].tolist()


def _fields(content) -> dict[str, np.ndarray]:
    return {field.name: getattr(content, field.name) for field in dataclasses.fields(content)}


def _read_fields(kind: type, group: h5py.Group):
    return kind(**{field.name: group[field.name][()] for field in dataclasses.fields(kind)})


def _filter(compression: str) -> dict:
    if compression == "none":
        return {}
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE))
