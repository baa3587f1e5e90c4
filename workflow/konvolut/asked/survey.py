"""Which photographs of the set can be read, and how large they are, found by decoding each of them once.

Of large sets only the headers are looked at: a million photographs would take hours to decode. One that turns out to be
damaged is then named by the first job that reads it; activations leave it out or end as `images_on_error` says.
Where a photograph that cannot be read is to end the run, small sets are decoded before the first job.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from konvolut.asked.settings import Photograph
from konvolut.errors import UserError
from konvolut.pictures import images

COLUMNS = ["key", "id", "width", "height", "problem", "path", "source", "label", "group", "credit"]
# Larger sets are believed by their headers; a thousand photographs decode in some 20 s.
DECODED_AT_MOST = 1000
SECONDS = 20.0  # nobody waits longer for a start; what is left the plan finds
DECODED_AT_A_TIME = 4  # the largest that Pillow opens takes half a gigabyte
LEAVE_OUT = "images_on_error: skip leaves such images out"


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
    with ThreadPoolExecutor(min(DECODED_AT_A_TIME, os.cpu_count() or 1)) as threads:
        end = time.monotonic() + SECONDS
        for problem in threads.map(lambda each: _problem(each) if time.monotonic() < end else "", asked):
            if problem:
                threads.shutdown(cancel_futures=True)
                raise UserError(f"{problem}; {LEAVE_OUT}")


def _problem(photograph: Photograph) -> str:
    try:
        images.read(photograph.path)
    except UserError as error:
        return f"image {photograph.id!r}: {error}"
    return ""


def _changed(path: Path) -> float:
    """When a file came to be what and where it is: moving an old one there counts."""
    return path.stat().st_ctime


def survey(photographs: Sequence[Photograph], on_error: str) -> pd.DataFrame:
    """One row per photograph: size in px as seen upright, what is wrong with it ("" if nothing), and all of Photograph.

    Raises UserError for the first one that cannot be read unless `on_error` is "skip".
    """
    rows = []
    decoded = len(photographs) <= DECODED_AT_MOST
    for photograph in photographs:
        height = width = 0
        problem = ""
        try:
            path = photograph.path
            height, width = images.read(path).shape[:2] if decoded else images.check_header(path)
        except UserError as error:
            sentence = f"image {photograph.id!r}: {error}"
            if on_error != "skip":
                raise UserError(f"{sentence}; {LEAVE_OUT}") from error
            problem = sentence.replace(str(photograph.path), "its file")  # the atlas is public, folders are not
        about = (photograph.path, photograph.source, photograph.label, photograph.group, photograph.credit)
        rows.append((photograph.key, photograph.id, width, height, problem, *about))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table) and (table["problem"] != "").all():
        raise UserError(f"none of the {len(table)} photographs can be read; the first: {table['problem'][0]}")
    return table


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
