"""What is finished of a job that is not at its end, so that no unit is computed twice. No torch here.

Each batch that a job has finished becomes a file in the folder `<output>.part`, undeclared to Snakemake (which deletes
the declared outputs of a job that died). These files are results like any other: they appear whole or not at all and
carry the passport of the result to be. A killed job loses the batch that it was at, no more.
Where a sweep is cut anew (more channels, more photographs, longer jobs) the same units lie in neighbouring files of
other names: those are read too. Where a file keeps its name, Snakemake deletes it before its job starts: as long as a
run is at work, every result has a second name that Snakemake does not know.

A unit counts as finished where all that could change it is the same: the passport, and the bytes of its photograph.
Batches of any other passport are stale and deleted.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from konvolut.asked.as_json import to_json
from konvolut.asked.recipes import FROM_NOISE
from konvolut.errors import UserError
from konvolut.results import store
from konvolut.results.contents import (
    ClassPicture,
    Fooling,
    Inversion,
    LayerPicture,
    Patches,
    Pictures,
    joined,
    rows_of,
)
from konvolut.results.evidence import Alike, Trust

# A unit is one picture (its start and its channel) or one photograph (its key).
Unit = tuple[str, int] | str

OPTIMISED = (*FROM_NOISE, "dreams", "accentuation")
NAMED = {
    "patches": Patches,
    "fooling": Fooling,
    "inversion": Inversion,
    "layer_dreams": LayerPicture,
    "caricature": LayerPicture,
    "classes": ClassPicture,
    "trust": Trust,  # by network and layer, until those of all networks are there
    "alike": Alike,  # by some units of a layer and relation, until those of all are there
}
IN_ROWS = "saliency"  # a row per photograph in arrays of all
LOOKED = "activations"  # see looks.py
RESUMED = (*OPTIMISED, *NAMED, IN_ROWS, LOOKED)  # all techniques whose jobs go on where they were killed
SUFFIX = ".part"
# The finished result under a second name (no second copy): Snakemake deletes an output that is to be made anew, and one
# of which it has not noted that it is finished.
WHOLE = "whole.h5"
SPAN = re.compile(r"(\d+)-(\d+)")
# What differs between the passports of files with the same units, by key: sha256 of the photographs, and what of the
# recipe was fitted to them.
BY_PHOTOGRAPH = ("photographs", "fitted")


class Part:
    """The finished units of one output; `progress(done, total)` is told of them at once and after each batch."""

    def __init__(
        self,
        output: Path,
        kind: str,
        passport: dict,
        wanted: Sequence[Unit],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.output, self.kind, self.passport = Path(output), kind, passport
        self.wanted, self.progress = list(wanted), progress
        self.folder = folder_of(self.output)
        self.units: dict[Unit, object] = {}
        for path in (*finished(self.folder), *neighbours(self.output)):
            self._take(path)
        getattr(progress, "begin", progress)(len(self.wanted) - len(self.missing()), len(self.wanted))

    def missing(self) -> list[Unit]:
        """The units that are still to be computed, in their order."""
        return [unit for unit in self.wanted if unit not in self.units]

    def keep(self, batch: Mapping[Unit, object]) -> None:
        """Remember a batch of finished units, also beyond the death of this job where others are still to come."""
        self.units |= batch
        left = len(self.missing())
        if left:  # the last batch is written with the others
            write_units(self.folder / f"{len(self.wanted) - left:06}.h5", self.kind, batch, self.passport)
            self.progress(len(self.wanted) - left, len(self.wanted))

    def climb(self, starts: Mapping[Unit, object], ascend: Callable[[list, Callable], object]) -> None:
        """Let `ascend(starts, keep)` make the pictures that are missing of `starts`."""
        left = [unit for unit in self.missing() if unit in starts]

        def keep(first: int, made: Pictures) -> None:
            names = left[first : first + len(made.channel)]
            self.keep({unit: rows_of([made], slice(row, row + 1)) for row, unit in enumerate(names)})

        if left:
            ascend([starts[unit] for unit in left], keep)

    def finish(self) -> None:
        """Write the result, first under its second name; then the batches go."""
        whole, temporary = self.folder / WHOLE, self.output.with_name(self.output.name + ".tmp")
        write_units(whole, self.kind, {unit: self.units[unit] for unit in self.wanted}, self.passport)
        temporary.unlink(missing_ok=True)
        try:
            os.link(whole, temporary)
        except OSError:  # not every file system has second names
            os.replace(whole, temporary)
        os.replace(temporary, self.output)
        for path in self.folder.glob("[0-9]*.h5"):
            path.unlink()
        self.progress(len(self.wanted), len(self.wanted))

    def _take(self, path: Path) -> None:
        try:
            theirs = store.read_passport(path)
            found = read_units(path, self.kind) if self._fits(theirs) else {}
        except UserError:
            theirs, found = {}, {}
        if not found and path.parent == self.folder:
            path.unlink()
        mine = as_read(self.passport)
        for unit, content in found.items():
            start = unit if isinstance(unit, str) else unit[0]
            if all(mine.get(name, {}).get(start) == theirs.get(name, {}).get(start) for name in BY_PHOTOGRAPH):
                self.units[unit] = content

    def _fits(self, theirs: Mapping) -> bool:
        others = dict.fromkeys(BY_PHOTOGRAPH)
        return {**theirs, **others} == {**as_read(self.passport), **others}


def digest_of(shard, paths: Iterable[Path]) -> str:
    """A digest of what is asked and of the files that the answer rests on, as they are now."""
    stats = [(str(path), os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps([to_json(shard), stats]).encode()).hexdigest()


def as_read(passport: dict) -> dict:
    """A passport as it comes back from a file: lists for tuples."""
    return json.loads(json.dumps(passport))


def folder_of(output: Path) -> Path:
    """Where the finished batches of an output lie."""
    return Path(output).with_name(Path(output).name + SUFFIX)


def finished(folder: Path) -> list[Path]:
    """The files of such a folder; what was left by the death of a writer goes."""
    if not folder.is_dir():
        return []
    for path in folder.glob("*.tmp"):
        path.unlink()
    return sorted(folder.iterdir())


def neighbours(output: Path) -> list[Path]:
    """Files beside `{first}-{last}.h5` whose span has something in common with it."""
    span = _span(output)
    others = [path for path in Path(output).parent.glob("*.h5") if path != Path(output)]
    return sorted(path for path in others if span and _meets(span, _span(path)))


def hold(results: Path) -> None:
    """Give every finished result its second name, which outlives the first one until a run is at its end (see tidy)."""
    for output in _outputs(results):
        whole = folder_of(output) / WHOLE
        whole.parent.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):  # it has one, or the file system has none: then its units are made again
            os.link(output, whole)


def _outputs(results: Path) -> Iterator[Path]:
    for technique in RESUMED:
        found = (*Path(results).glob(f"*/{technique}/**/*.h5"), *Path(results).glob(f"*/{technique}.h5"))
        yield from [path for path in found if path.parent.suffix != SUFFIX]


def tidy(results: Path, planned: Iterable[Path]) -> None:
    """Delete the parts of what is finished, and of what no plan asks for any more."""
    known = set(planned)
    for technique in RESUMED:
        found = Path(results).glob(f"*/{technique}/**/*{SUFFIX}"), Path(results).glob(f"*/{technique}.h5{SUFFIX}")
        for folder in itertools.chain(*found):
            output = folder.with_suffix("")
            if output.exists() or output not in known:
                shutil.rmtree(folder, ignore_errors=True)


def write_units(path: Path, kind: str, units: Mapping[Unit, object], passport: dict) -> None:
    """Write results by unit, in their order."""
    if kind in NAMED:
        store.write_named(path, kind, units, passport)
        return
    if kind == IN_ROWS:
        store.write_saliency(path, joined(list(units.values())), passport)
        return
    starts: dict[str, list[Pictures]] = {}
    for (start, _), content in units.items():
        starts.setdefault(start, []).append(content)
    store.write_pictures(path, kind, {start: rows_of(rows) for start, rows in starts.items()}, passport)


def read_units(path: Path, kind: str) -> dict[Unit, object]:
    """What write_units wrote."""
    if kind in NAMED:
        return store.read_named(path, NAMED[kind])
    if kind == IN_ROWS:
        return store.read_saliency(path).of_each()
    return {
        (start, int(channel)): rows_of([content], slice(row, row + 1))
        for start, content in store.read_pictures(path).items()
        for row, channel in enumerate(content.channel)
    }


def _span(path: Path) -> tuple[int, int] | None:
    found = SPAN.fullmatch(Path(path).stem)
    return (int(found[1]), int(found[2])) if found else None


def _meets(one: tuple[int, int], other: tuple[int, int] | None) -> bool:
    return other is not None and one[0] <= other[1] and other[0] <= one[1]
