"""Activation files, written batch by batch so that memory does not grow with their photographs; drawn in store.py."""

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from konvolut.results.contents import Activations, LayerActivations
from konvolut.results.evidence import Best, Evidence, Moments, Sketch
from konvolut.results.hdf5 import (
    File,
    Group,
    Growing,
    fields_of,
    new_file,
    open_file,
    put,
    put_fields,
    put_joined,
    put_text,
    read_fields,
    text_of,
)

# Bytes of one chunk of maps, and how many times more photographs than channels it holds: found by reading one channel
# over all photographs and one photograph over all channels (benchmarks/evidence.py hdf5). Both then take up to 5 times
# as long as a file of just these numbers; with 128 KB of as many of each a channel took up to 38 times. Below 16 KB
# the cost per chunk wins. What must not be decompressed may lie in larger chunks, which are written in half the time.
CHUNK_BYTES, TALLER = {"none": 64 * 1024, "blosc-lz4": 16 * 1024, "gzip": 16 * 1024}, 4
# Photographs and units in one chunk of pooled statistics: as many as wait in memory, and what look-alikes read at once.
POOLED_CHUNK = (64, 256)
POOLED = ("max", "mean", "cell")
COLUMNS = ("crop", "predictions/class", "predictions/probability")
OWN_TEXTS = ("image", "label", "sha256", "maps_of", "problem")
TEXTS = (*OWN_TEXTS, "predictions/name")
NOT_OF_EACH = ("maps_of", "problem")  # texts that have no row for each photograph
PARTS = {"best": Best, "moments": Moments, "sketch": Sketch}


@dataclasses.dataclass(frozen=True)
class Rows:
    """What is known of some photographs: texts and columns by the names above, and by layer the pooled statistics and
    the maps of those in `maps_of`."""

    texts: Mapping[str, Sequence]
    columns: Mapping[str, np.ndarray]
    layers: Mapping[str, Mapping[str, np.ndarray]]


class ActivationsWriter:
    """An activations file that is being filled; `maps_at_most` says of how many photographs maps may come."""

    def __init__(self, file: File, compression: str, maps_at_most: int, cells: str = "gzip") -> None:
        self.file, self.maps_at_most = file, maps_at_most
        # Maxima and means of many layers took half as long to squeeze as to find, to be smaller by a sixth.
        self.compression = {"maps": compression, "max": "none", "mean": "none", "cell": cells}
        self.texts: dict[str, list] = {name: [] for name in TEXTS}
        self.columns: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
        self.growing: dict[str, Growing] = {}

    def add_rows(self, rows: Rows) -> None:
        """Add all that is known of some photographs."""
        for layer, values in rows.layers.items():
            self.add_layer(layer, values)
        self.add(rows.texts, rows.columns)

    def add(self, texts: Mapping[str, Sequence], columns: Mapping[str, np.ndarray]) -> None:
        """Note what is known of some photographs beside their activations; names as in TEXTS and COLUMNS."""
        for name, values in texts.items():
            self.texts[name] += values
        for name, values in columns.items():
            self.columns[name].append(values)

    def add_layer(self, layer: str, values: Mapping[str, np.ndarray]) -> None:
        """Add rows of a layer's max, mean, cell and maps."""
        for name, rows in values.items():
            if not len(rows):
                continue
            place = f"layers/{layer}/{name}"
            if place not in self.growing:
                how = self.compression[name]
                chunks = map_chunks(rows, max(1, self.maps_at_most), how) if name == "maps" else _pooled_chunks(rows)
                self.growing[place] = Growing(self.file, place, chunks, how)
            self.growing[place].add(rows)

    def finish_layers(self) -> None:
        """Write the rows that still wait; from now on `pooled` tells all."""
        for rows in self.growing.values():
            rows.finish()

    def pooled(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Maxima (n, C) and their cells (n, C, 2) of all photographs of the file."""
        group = self.file[f"layers/{layer}"]
        return group["max"][()], group["cell"][()]

    def add_evidence(self, layer: str, evidence: Evidence) -> None:
        """Add what the photographs of this file say about the units of a layer."""
        for name, part in fields_of(evidence).items():
            put_fields(self.file.create_group(f"layers/{layer}/evidence/{name}"), part)

    def finish(self) -> None:
        """Write all that was noted."""
        self.finish_layers()
        for name, values in self.columns.items():
            put(self.file, name, np.concatenate(values))
        for name, values in self.texts.items():
            put_text(self.file, name, values)


@contextlib.contextmanager
def new_activations(
    path: Path, passport: dict, compression: str, maps_at_most: int, cells: str = "gzip"
) -> Iterator[ActivationsWriter]:
    """An activations file to be filled within a `with` block.

    `compression` of the maps, and of the cells: blosc-lz4 (fast, needs the hdf5plugin filter), gzip or none.
    """
    with new_file(path, "activations", passport, large=maps_at_most > 0) as file:
        writer = ActivationsWriter(file, compression, maps_at_most, cells)
        yield writer
        writer.finish()


def write_activations(path: Path, content: Activations, passport: dict, compression: str) -> None:
    """Write a whole activations file at once."""
    with new_activations(path, passport, compression, len(content.maps_of)) as writer:
        texts = {name: getattr(content, name) for name in OWN_TEXTS}
        columns = {"crop": content.crop, "predictions/class": content.predicted_class}
        columns["predictions/probability"] = content.probability
        writer.add(texts | {"predictions/name": content.predicted_name}, columns)
        for layer, values in content.layers.items():
            arrays = {name: getattr(values, name) for name in (*POOLED, "maps")}
            writer.add_layer(layer, {name: rows for name, rows in arrays.items() if rows is not None})
            if values.evidence is not None:
                writer.add_evidence(layer, values.evidence)


def write_joined(path: Path, parts: Sequence[Path], passport: dict) -> None:
    """Write a file of all photographs of a model that refers to the files which hold them, but for their evidence."""
    with new_file(path, "activations", passport) as file:
        put_joined(file, parts, left_out="evidence")


def read_activations(path: Path, maps: bool = False) -> Activations:
    """Read an activations file but for its evidence; the maps themselves only where asked for."""
    with open_file(path) as file:
        return Activations(
            crop=file["crop"][()],
            predicted_class=file["predictions/class"][()],
            probability=file["predictions/probability"][()],
            predicted_name=text_of(file["predictions/name"]),
            layers={
                layer: LayerActivations(
                    maps=group["maps"][()] if maps and "maps" in group else None,
                    **{name: group[name][()] for name in POOLED},
                )
                for layer, group in file["layers"].items()
            },
            **{name: text_of(file[name]) for name in OWN_TEXTS},
        )


def read_about(path: Path) -> Activations:
    """What a file says of its photographs, without any layer."""
    with open_file(path) as file:
        return Activations(
            crop=file["crop"][()],
            predicted_class=file["predictions/class"][()],
            probability=file["predictions/probability"][()],
            predicted_name=text_of(file["predictions/name"]),
            layers={},
            **{name: text_of(file[name]) for name in OWN_TEXTS},
        )


def layers_of(path: Path, name: str = "max") -> list[str]:
    """Names of the layers of a file, or of those with maps."""
    with open_file(path) as file:
        return [layer for layer, group in file["layers"].items() if name in group]


def units_of(path: Path, layer: str) -> int:
    """How many units a layer has."""
    with open_file(path) as file:
        return file[f"layers/{layer}/max"].shape[1]


def read_evidence(path: Path) -> tuple[int, dict[str, Evidence]]:
    """How many photographs a file has, and what they say about the units of each layer."""
    with open_file(path) as file:
        found = {layer: group["evidence"] for layer, group in file["layers"].items()}
        return len(file["image"]), {layer: Evidence(**_parts(group)) for layer, group in found.items()}


def read_pooled(path: Path, layer: str, name: str = "max", units: slice = slice(None)) -> np.ndarray:
    """Pooled statistics (n, units) of one layer, by name: max or mean."""
    with open_file(path) as file:
        return file[f"layers/{layer}/{name}"][:, units]


def read_pooled_rows(paths: Sequence[Path], layer: str, rows: np.ndarray, name: str = "max") -> np.ndarray:
    """Pooled statistics (rows, C) of the photographs `rows`, ascending, counted through all files."""
    parts, first = [], 0
    for path in paths:
        with open_file(path) as file:
            dataset = file[f"layers/{layer}/{name}"]
            inside = rows[(rows >= first) & (rows < first + len(dataset))] - first
            parts.append(dataset[inside])
            first += len(dataset)
    return np.concatenate(parts)


def read_rows(
    path: Path, groups: Iterable[Sequence[int]], layers: Sequence[str], maps: Collection[str]
) -> Iterator[Rows]:
    """All that a file says of the photographs in some rows, group by group; maps of the photographs `maps` (keys)."""
    with open_file(path) as file:
        texts = {name: text_of(file[name]) for name in TEXTS}
        for rows in groups:
            whole = [key for key in (texts["image"][row] for row in rows) if key in maps]
            own = {name: [texts[name][row] for row in rows] for name in TEXTS if name not in NOT_OF_EACH}
            columns = {name: _taken(file[name], rows) for name in COLUMNS}
            found = {layer: {name: _taken(file[f"layers/{layer}/{name}"], rows) for name in POOLED} for layer in layers}
            for layer in layers if whole else ():
                if kept := file.get(f"layers/{layer}/maps"):
                    found[layer]["maps"] = _taken(kept, [texts["maps_of"].index(key) for key in whole])
            yield Rows(own | {"maps_of": whole}, columns, found)


def _taken(dataset, rows: Sequence[int]) -> np.ndarray:
    """Rows of a dataset in any order; HDF5 wants them ascending."""
    ascending, back = np.unique(np.asarray(rows), return_inverse=True)
    return dataset[ascending][back]


def read_maps(path: Path, layer: str, image: str) -> np.ndarray | None:
    """The maps (C, H, W) of one photograph (by key) in one layer; None where they are not in this file."""
    with open_file(path) as file:
        keys, maps = text_of(file["maps_of"]), file.get(f"layers/{layer}/maps")
        return maps[keys.index(image)] if maps is not None and image in keys else None


def map_chunks(maps: np.ndarray, photographs_at_most: int, compression: str) -> tuple[int, int, int, int]:
    """Chunk shape for maps (n, C, H, W): whole maps, of more photographs than channels."""
    _, channels, height, width = maps.shape
    cells = max(1, CHUNK_BYTES[compression] // max(1, height * width * maps.itemsize))
    photographs = min(photographs_at_most, cells, max(1, round((cells * TALLER) ** 0.5)))
    return photographs, min(channels, max(1, cells // photographs)), height, width


def _pooled_chunks(rows: np.ndarray) -> tuple[int, ...]:
    return POOLED_CHUNK[0], min(POOLED_CHUNK[1], rows.shape[1]), *rows.shape[2:]


def _parts(group: Group) -> dict:
    return {name: read_fields(kind, group[name]) for name, kind in PARTS.items()}
