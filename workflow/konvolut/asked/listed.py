"""The photographs of a large set, listed by the process that the user started and handed to those of its jobs.

To look for a million files takes half a minute, and each job of a run is a process that has to know them all.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from konvolut import folder
from konvolut.asked import sheets
from konvolut.asked.sheets import Photograph

LIST = folder.LOCK.with_name("konvolut.photographs.json")
# Below that a look at the folder takes less than a second.
WORTH_A_LIST = 10_000
OWN, SHARED = ("id", "key", "path"), ("source", "label", "group", "credit")


def anew(base: Path, sheet: str) -> tuple[Photograph, ...]:
    """The photographs of a sheet as they lie there now; many are written down for the jobs of this run."""
    found = sheets.read_images(base, sheet)
    with contextlib.suppress(OSError):  # jobs can do without it; a folder that takes no files is refused elsewhere
        LIST.unlink(missing_ok=True)
        if len(found) >= WORTH_A_LIST:
            _write(found, _origin(base, sheet))
    return found


def as_listed(base: Path, sheet: str) -> tuple[Photograph, ...]:
    """The photographs as `anew` wrote them down for this sheet, else as they lie there now."""
    try:
        told = json.loads(LIST.read_bytes())
    except (OSError, ValueError):
        return sheets.read_images(base, sheet)
    if told["origin"] != _origin(base, sheet):
        return sheets.read_images(base, sheet)
    columns = [told[name] for name in OWN]
    return tuple(Photograph(*own, *told["shared"][number]) for *own, number in zip(*columns, told["row"], strict=True))


def _write(photographs: Sequence[Photograph], origin: str) -> None:
    known: dict[tuple[str, ...], int] = {}
    row = [known.setdefault(tuple(getattr(one, name) for name in SHARED), len(known)) for one in photographs]
    told = {name: [getattr(one, name) for one in photographs] for name in OWN}
    temporary = LIST.with_name(f"{LIST.name}.{os.getpid()}.tmp")
    temporary.parent.mkdir(exist_ok=True)
    try:
        temporary.write_text(json.dumps(told | {"origin": origin, "shared": list(known), "row": row}), encoding="utf-8")
        os.replace(temporary, LIST)
    finally:
        temporary.unlink(missing_ok=True)


def _origin(base: Path, sheet: str) -> str:
    """What says that a list is one of this sheet, seen from this folder."""
    text = (base / Path(sheet).expanduser()).read_bytes()
    return hashlib.sha256(repr((os.path.abspath(base), sheet, text)).encode()).hexdigest()
