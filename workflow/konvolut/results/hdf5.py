"""HDF5 files that appear whole or not at all, and what goes into them; the only door to h5py."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from konvolut.errors import UserError
from konvolut.results import layout

FORMAT = "konvolut/1"
TEXT = h5py.string_dtype("utf-8")
File, Group = h5py.File, h5py.Group


@contextlib.contextmanager
def new_file(path: Path, kind: str, passport: dict) -> Iterator[h5py.File]:
    """A file to be filled within a `with` block; it gets its name when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with h5py.File(temporary, "w", libver=("earliest", "v114")) as file:
            file.attrs["format"] = FORMAT
            file.attrs["kind"] = kind
            file.attrs["passport"] = json.dumps(passport, sort_keys=True, ensure_ascii=False)
            yield file
            file.visititems(lambda place, item: _explain(item, kind, place))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _explain(item, kind: str, place: str) -> None:
    if isinstance(item, h5py.Dataset):
        item.attrs.update(layout.attributes(kind, place))


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """A file of ours to be read; raises UserError for any other."""
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


def read_everything(path: Path) -> None:
    """Read every number of a file, so that the checksum of each chunk is held against it; raises OSError."""


    def read(_, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            item[()]

    with open_file(path) as file:
        file.visititems(read)


def put(
    group: h5py.Group, name: str, values: np.ndarray, rows_per_chunk: int | None = None, compression: str = "gzip"
) -> None:
    """Add an array; where it has more than one number checksummed, and compressed unless `compression` is none."""
    values = np.asarray(values)
    if values.size == 0 or values.ndim == 0:
        group.create_dataset(name, data=values)
        return
    chunks = (rows_per_chunk, *values.shape[1:]) if rows_per_chunk else True
    group.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **compressed(compression))


class Growing:
    """A dataset that grows by rows; they wait until they fill a chunk, so that each chunk is compressed once."""

    def __init__(self, group: h5py.Group, name: str, chunks: tuple[int, ...], compression: str) -> None:
        self.group, self.name, self.chunks, self.compression = group, name, chunks, compression
        self.waiting: list[np.ndarray] = []
        self.rows = 0

    def add(self, values: np.ndarray) -> None:
        """Add rows (n, ...)."""
        self.waiting.append(values)
        self.rows += len(values)
        if self.rows >= self.chunks[0]:
            self._write(self.rows - self.rows % self.chunks[0])

    def finish(self) -> None:
        """Write what still waits."""
        if self.rows or self.name not in self.group:
            self._write(self.rows)

    def _write(self, count: int) -> None:
        values = np.concatenate(self.waiting)
        self.waiting, self.rows = [values[count:]], len(values) - count
        if self.name not in self.group:
            options = {"chunks": self.chunks, "fletcher32": True, **compressed(self.compression)}
            self.group.create_dataset(self.name, data=values[:count], maxshape=(None, *values.shape[1:]), **options)
            return
        dataset = self.group[self.name]
        dataset.resize(len(dataset) + count, axis=0)
        dataset[len(dataset) - count :] = values[:count]


def put_joined(file: h5py.File, paths: Sequence[Path], left_out: str) -> None:
    """Add every dataset of some files, their rows one after the other, but for those below groups called `left_out`.

    Nothing is copied: the rows stay where they are, and their files are named relative to this one.
    """
    found: dict[str, list[tuple[str, tuple, np.dtype]]] = {}
    for path in paths:
        relative = Path(os.path.relpath(path, Path(file.filename).parent)).as_posix()
        with open_file(path) as part:
            for name, item in _datasets(part):
                if left_out not in name.split("/"):
                    found.setdefault(name, []).append((relative, item.shape, item.dtype))
    for name, parts in found.items():
        rows = sum(shape[0] for _, shape, _ in parts)
        joined = h5py.VirtualLayout((rows, *parts[0][1][1:]), parts[0][2])
        if 0 in joined.shape:
            file.create_dataset(name, joined.shape, joined.dtype)
            continue
        first = 0
        for relative, shape, dtype in parts:
            if shape[0]:
                joined[first : first + shape[0]] = h5py.VirtualSource(relative, name, shape, dtype)
            first += shape[0]
        file.create_virtual_dataset(name, joined)


def _datasets(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    found = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


def put_text(group: h5py.Group, name: str, values: str | list) -> None:
    """Add a text, or a list (of lists) of texts."""
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=TEXT)


def text_of(dataset: h5py.Dataset) -> str | list:
    """What put_text added."""
    found = dataset.asstr()[()]
    return found.tolist() if isinstance(found, np.ndarray) else found


def put_fields(group: h5py.Group, content) -> None:
    """Add every field of a dataclass of arrays, numbers and texts that is not None."""
    for name, values in fields_of(content).items():
        if values is None:
            continue
        is_text = isinstance(values, str) or (isinstance(values, list) and all(isinstance(v, str) for v in values))
        (put_text if is_text else put)(group, name, values)


def fields_of(content) -> dict[str, np.ndarray]:
    """The fields of a dataclass by name, not copied."""
    return {field.name: getattr(content, field.name) for field in dataclasses.fields(content)}


def read_fields(kind: type, group: h5py.Group):
    """The object of class `kind` that put_fields added."""
    datasets = {field.name: group[field.name] for field in dataclasses.fields(kind) if field.name in group}
    return kind(**{name: text_of(found) if found.dtype == TEXT else found[()] for name, found in datasets.items()})


def compressed(compression: str) -> dict:
    """Arguments of create_dataset for blosc-lz4, gzip or none."""
    if compression == "none":
        return {}
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE))
