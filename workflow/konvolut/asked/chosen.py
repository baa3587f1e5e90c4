"""Which photographs a job is told of: rows of photographs.tsv and a digest of them, no more. No torch here.

Thousands of jobs, each told of 50,000 photographs in full, would fill the memory of Snakemake with parameters. The
digest says when a job's photographs are others than before.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from konvolut.asked import as_json, selection, survey
from konvolut.asked.sheets import Photograph
from konvolut.errors import UserError

DIGITS = 16  # of the digest: no two sets of photographs share that many by chance
FIELDS = [field.name for field in dataclasses.fields(Photograph)]


class Photographs:
    """The photographs of a sweep that can be read, each with its row in photographs.tsv."""

    def __init__(
        self, photographs: Sequence[Photograph], rows: Sequence[int], lines: Sequence[bytes | None] | None = None
    ) -> None:
        """`lines` are what goes into the digest, where somebody has made them already."""
        self.photographs, self.rows = tuple(photographs), tuple(rows)
        self._lines: list[bytes | None] = [None] * len(self.photographs) if lines is None else list(lines)
        self._of_ids: dict[tuple[str, ...], Photographs] = {}

    def only(self, ids: tuple[str, ...]) -> "Photographs":
        """Those of the ids, in their order here; the same object for the same ids."""
        if ids not in self._of_ids:
            wanted = set(ids)
            places = [place for place, photograph in enumerate(self.photographs) if photograph.id in wanted]
            columns = (self.photographs, self.rows, self._lines)
            self._of_ids[ids] = Photographs(*([column[place] for place in places] for column in columns))
        return self._of_ids[ids]

    def between(self, first: int, last: int) -> "Photographs":
        """Those from the place `first` to `last`, both among them."""
        part = slice(first, last + 1)
        self._write(part)  # here, for all who ask for the same part
        return Photographs(self.photographs[part], self.rows[part], self._lines[part])

    def told(self) -> dict[str, str]:
        """What a job is told of them."""
        self._write(slice(None))
        return {"rows": selection.format_channels(list(self.rows)), "sha256": _digest(self._lines)}

    def _write(self, part: slice) -> None:
        """Make the lines of a part that nobody has made yet: a job asks for a few of a million."""
        for place in range(*part.indices(len(self._lines))):
            if self._lines[place] is None:
                self._lines[place] = _line(self.photographs[place])


def from_json(kind: type, text: str, table: Path):
    """A shard of class `kind` out of JSON that says of its photographs what Photographs.told does.

    Raises UserError where the file holds others than those that the job was planned for.
    """
    told = json.loads(text)
    wanted = told.pop("photographs")
    found = survey.read_survey(Path(table))
    places = [place for place in selection.parse_channels(wanted["rows"]) if place < len(found)]
    photographs = [Photograph(**row) for row in found.iloc[places][FIELDS].to_dict("records")]
    if Photographs(photographs, places).told() != wanted:
        raise UserError(f"{table} holds other photographs than this job was planned for: run the same command again")
    return dataclasses.replace(
        as_json.from_json(kind, json.dumps(told | {"photographs": []})), photographs=tuple(photographs)
    )


def _line(photograph: Photograph) -> bytes:
    return json.dumps([getattr(photograph, name) for name in FIELDS]).encode()


def _digest(lines: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.hexdigest()[:DIGITS]
