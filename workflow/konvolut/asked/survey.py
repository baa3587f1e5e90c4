"""Which photographs of the set can be read, and how large they are, found by decoding each of them once.

What no other rule has to ask again: they are told of those alone that can be read. Where one that cannot is to end the
run, small sets are decoded before the first job.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from konvolut.asked.settings import Photograph
from konvolut.errors import UserError
from konvolut.pictures import images

COLUMNS = ["key", "id", "width", "height", "problem", "path", "source", "label", "group", "credit"]
LEAVE_OUT = "images_on_error: skip leaves such images out"
# Photographs that wait for a thread: enough to keep all of them busy, and few beside a million of the set.
AT_ONCE = 1024
# Larger sets are not decoded before the first job; nobody waits longer for a start, what is left the plan finds.
DECODED_AT_MOST, SECONDS = 1000, 20.0


def check_whole(photographs: Sequence[Photograph], surveyed: Path) -> None:
    """Decode a small set before the first job, as far as one comes in SECONDS; UserError for the first damaged one.

    Not again what lies there as it did when `surveyed`, the table of an earlier run, was written.
    """
    if len(photographs) > DECODED_AT_MOST:
        return
    known, written = set(), 0.0
    if surveyed.is_file():
        known, written = (
            {photograph.key for photograph in readable(photographs, read_survey(surveyed))},
            _changed(surveyed),
        )
    asked = [each for each in photographs if each.key not in known or _changed(Path(each.path)) >= written]
    with ThreadPoolExecutor(images.decoders()) as threads:
        end = time.monotonic() + SECONDS
        for problem in threads.map(lambda each: _problem(each) if time.monotonic() < end else "", asked):
            if problem:
                threads.shutdown(cancel_futures=True)
                raise UserError(f"{problem}; {LEAVE_OUT}")


def _problem(photograph: Photograph) -> str:
    found = _looked_at(photograph)
    return f"image {photograph.id!r}: {found}" if isinstance(found, UserError) else ""


def _changed(path: Path) -> float:
    """When a file came to be what and where it is: moving an old one there counts."""
    return path.stat().st_ctime


def survey(photographs: Sequence[Photograph], on_error: str) -> pd.DataFrame:
    """One row per photograph: size in px as seen upright, what is wrong with it ("" if nothing), and all of Photograph.

    Raises UserError for the first one that cannot be read unless `on_error` is "skip".
    """
    rows = []
    with ThreadPoolExecutor(images.decoders()) as decoders:
        for first in range(0, len(photographs), AT_ONCE):
            part = photographs[first : first + AT_ONCE]
            for photograph, found in zip(part, decoders.map(_looked_at, part), strict=True):
                if isinstance(found, UserError) and on_error != "skip":
                    decoders.shutdown(cancel_futures=True)
                    sentence = f"image {photograph.id!r}: {found}"
                    raise UserError(f"{sentence}; {LEAVE_OUT}") from found
                rows.append(_row(photograph, found))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table) and (table["problem"] != "").all():
        raise UserError(f"none of the {len(table)} photographs can be read; the first: {table['problem'][0]}")
    return table


def _looked_at(photograph: Photograph) -> tuple[int, int] | UserError:
    try:
        return images.check(photograph.path)
    except UserError as error:
        return error


def _row(photograph: Photograph, found: tuple[int, int] | UserError) -> tuple:
    about = (photograph.path, photograph.source, photograph.label, photograph.group, photograph.credit)
    if isinstance(found, UserError):  # the atlas is public, folders are not
        problem = f"image {photograph.id!r}: {found}".replace(str(photograph.path), "its file")
        return photograph.key, photograph.id, 0, 0, problem, *about
    return photograph.key, photograph.id, found[1], found[0], "", *about


def write_survey(table: pd.DataFrame, path: Path) -> None:
    """Write a survey as TSV."""
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def read_survey(path: Path) -> pd.DataFrame:
    """What write_survey wrote."""
    text = dict.fromkeys(set(COLUMNS) - {"width", "height"}, str)
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)


def problems(table: pd.DataFrame) -> tuple[str, ...]:
    """A sentence for each photograph that was left out."""
    return tuple(f"Left out: {problem}" for problem in table["problem"] if problem)


def readable(photographs: Sequence[Photograph], table: pd.DataFrame) -> tuple[Photograph, ...]:
    """The photographs without a problem, in their order."""
    good = set(table.loc[table["problem"] == "", "key"])
    return tuple(photograph for photograph in photographs if photograph.key in good)
