"""HDF5 files that appear whole or not at all, and what goes into them; the only door to h5py."""

import contextlib
import dataclasses
import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from konvolut.errors import UserError, first_line
from konvolut.results import layout

FORMAT = "konvolut/1"
TEXT = h5py.string_dtype("utf-8")
# How large files are laid out: chunks wait in memory until they fill a page, as one write of a megabyte takes half as
# long as its chunks one by one. Small files would be larger by two pages.
PAGED = {"fs_strategy": "page", "fs_page_size": 2**20, "page_buf_size": 2**22}
File, Group = h5py.File, h5py.Group
# What file systems say that know no fsync: some in user space.
CANNOT_PROMISE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
# What HDF5 raises over a file that is not whole, by where the damage lies.
DAMAGES = (OSError, ValueError, KeyError, RuntimeError)


class DamagedError(UserError):
    """A file that cannot be read whole; `said` is what HDF5 says of it, in one line."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.said = first_line(error)
        super().__init__(f"{path} is not a readable HDF5 file ({self.said}); delete it and run the same command")


@contextlib.contextmanager
def new_file(path: Path, kind: str, passport: dict, large: bool = False) -> Iterator[h5py.File]:
    """A file to be filled within a `with` block; it gets its name when the block ends without an error.

    By then it is on the disk: a machine that dies leaves no name without its bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with h5py.File(temporary, "w", libver=("earliest", "v114"), **(PAGED if large else {})) as file:
            file.attrs["format"] = FORMAT
            file.attrs["kind"] = kind
            file.attrs["passport"] = json.dumps(passport, sort_keys=True, ensure_ascii=False)
            yield file
            file.visititems(lambda place, item: _explain(item, kind, place))
        _sync(temporary)
        os.replace(temporary, path)
    except RuntimeError as error:  # HDF5's, which tells the number of the error of the system among other things
        if f"errno = {errno.ENOSPC}," in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a file's bytes on the disk, where its file system promises that; full disks are often told of only here."""
    with path.open("rb") as written:
        try:
            os.fsync(written.fileno())
        except OSError as error:
            if error.errno not in CANNOT_PROMISE:
                raise


def _explain(item, kind: str, place: str) -> None:
    if isinstance(item, h5py.Dataset):
        item.attrs.update(layout.attributes(kind, place))


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """A file of ours to be read within a `with` block, which does nothing else; raises UserError for any other, and
    DamagedError wherever a damage shows, which may be at the last number."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise UserError(
                    f"{path} has the format {file.attrs.get('format')!r}, this version reads {FORMAT!r}; "
                    "move the results folder away and run again"
                )
            yield file
    except DAMAGES as error:
        raise DamagedError(path, error) from error


def read_everything(path: Path) -> None:
    """Read every number of a file, so that the checksum of each chunk is held against it; raises DamagedError."""

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
    """A dataset that grows by rows, which wait until they fill a row of chunks: each is compressed and written once."""

    def __init__(self, group: h5py.Group, name: str, chunks: tuple[int, ...], compression: str) -> None:
        self.group, self.name = group, name
        self.options = {"chunks": chunks, "fletcher32": True, **compressed(compression)}
        self.waiting: np.ndarray | None = None
        self.count = 0

    def add(self, values: np.ndarray) -> None:
        """Add rows (n, ...)."""
        if self.waiting is None:
            self.waiting = np.empty((self.options["chunks"][0], *values.shape[1:]), values.dtype)
            shape, longest = (0, *values.shape[1:]), (None, *values.shape[1:])
            self.group.create_dataset(self.name, shape, values.dtype, maxshape=longest, **self.options)
        while len(values):
            taken = values[: len(self.waiting) - self.count]
            self.waiting[self.count : self.count + len(taken)] = taken
            self.count, values = self.count + len(taken), values[len(taken) :]
            if self.count == len(self.waiting):
                self.finish()

    def finish(self) -> None:
        """Write what still waits."""
        if self.count:
            dataset = self.group[self.name]
            dataset.resize(len(dataset) + self.count, axis=0)
            dataset[len(dataset) - self.count :] = self.waiting[: self.count]
            self.count = 0


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
