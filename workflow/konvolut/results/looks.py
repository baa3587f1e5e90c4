"""Photographs that a job of activations has looked at before it came to its end, so that none is looked at twice.

As with pictures (see part.py) what is finished lies in the folder `<output>.part`: files like the result itself, each
whole as soon as a job has filled it for SECONDS. Files of neighbouring spans and the result's second name are read too.
A photograph counts as seen where the passport and the bytes of its file are the same, and all that is asked of it (its
layers, its whole maps) is there. No torch here.
"""

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from konvolut.errors import UserError
from konvolut.provenance import file_sha256
from konvolut.results import part, store

# What a death costs at most. A file takes a tenth of a second.
SECONDS = 20.0
BATCHES = "[0-9]*.h5"


@dataclass(frozen=True)
class Wanted:
    """What a result is to hold: photographs, layers, and whole maps of some photographs (keys) in some layers."""

    photographs: Sequence
    layers: Sequence[str]
    maps: Collection[str]
    layers_with_maps: Collection[str]


class Looks:
    """What is known of an output's photographs, and what becomes known of them; to be used in a `with` block."""

    def __init__(self, output: Path, passport: dict, wanted: Wanted) -> None:
        self.output, self.passport, self.wanted = Path(output), passport, wanted
        self.folder = part.folder_of(self.output)
        self._paths = {one.key: one.path for one in wanted.photographs}
        self._sha256: dict[str, str] = {}
        self._found: dict[str, tuple[Path, int]] = {}
        for path in (*part.finished(self.folder), *part.neighbours(self.output)):
            self._take(path)
        self._filling, self._file, self._begun = contextlib.ExitStack(), None, 0.0

    def __enter__(self) -> "Looks":
        return self

    def __exit__(self, *problem) -> None:
        self._filling.__exit__(*problem)

    def __len__(self) -> int:
        return len(self._found)

    def source(self, photograph) -> Path | None:
        """The file that holds what is known of a photograph."""
        return self._found.get(photograph.key, (None, 0))[0]

    def rows(self, photographs: Sequence, at_once: int) -> Iterator[store.Rows]:
        """What the one `source` of some photographs says of them, so many at once."""
        groups = [photographs[first : first + at_once] for first in range(0, len(photographs), at_once)]
        rows = [[self._found[one.key][1] for one in group] for group in groups]
        found = store.read_rows(self.source(photographs[0]), rows, self.wanted.layers, self.wanted.maps)
        for group, known in zip(groups, found, strict=True):
            yield replace(
                known, texts={**known.texts, "label": [one.label for one in group]}
            )  # the sheet's, as it is now

    def sha256(self, key: str) -> str:
        """Of the file of a photograph."""
        if key not in self._sha256:
            self._sha256[key] = file_sha256(self._paths[key])
        return self._sha256[key]

    def keep(self, rows: store.Rows) -> None:
        """Take down what became known of some photographs."""
        if self._file is None:
            number = max((int(path.stem) for path in self.folder.glob(BATCHES)), default=-1) + 1
            writing = store.new_activations(
                self.folder / f"{number:06}.h5", self.passport, "none", len(self.wanted.maps), cells="none"
            )
            self._file, self._begun = self._filling.enter_context(writing), time.monotonic()
        self._file.add_rows(rows)
        if time.monotonic() - self._begun >= SECONDS:
            self._filling.close()
            self._file = None

    def finish(self) -> None:
        """Give the result, which is there, its second name; then what led to it goes."""
        self._filling.close()
        self.folder.mkdir(exist_ok=True)
        (self.folder / part.WHOLE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not every file system has second names
            os.link(self.output, self.folder / part.WHOLE)
        for path in self.folder.glob(BATCHES):
            path.unlink()

    def _take(self, path: Path) -> None:
        try:
            about = store.read_about(path) if store.read_passport(path) == part.as_read(self.passport) else None
            held = {name: set(store.layers_of(path, name)) for name in ("max", "maps")} if about else {}
        except UserError:
            about, held = None, {}
        if about is None:
            if path.parent == self.folder:
                path.unlink()
            return
        if not held["max"].issuperset(self.wanted.layers):
            return
        whole = set(about.maps_of) if held["maps"].issuperset(self.wanted.layers_with_maps) else set()
        for row, (key, sha256) in enumerate(zip(about.image, about.sha256, strict=True)):
            is_asked = key in self._paths and (key not in self.wanted.maps or key in whole)
            if is_asked and os.path.exists(self._paths[key]) and self.sha256(key) == sha256:
                self._found[key] = (path, row)
