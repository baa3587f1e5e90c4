"""Which photographs of the set can be read, and how large they are, found by decoding each of them once.

Of large sets only the headers are looked at: a million photographs would take hours to decode. One that turns out to be
damaged is then named by the first job that reads it; activations leave it out or end as `images_on_error` says.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from konvolut.asked.settings import Photograph
from konvolut.errors import UserError
from konvolut.pictures import images

COLUMNS = ["key", "id", "width", "height", "problem"]
# Larger sets are believed by their headers; a thousand photographs decode in some 20 s.
DECODED_AT_MOST = 1000


def survey(photographs: Sequence[Photograph], on_error: str) -> pd.DataFrame:
    """One row per photograph: size in pixels as seen upright, and what is wrong with it ("" if nothing).

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
                raise UserError(f"{sentence}; images_on_error: skip leaves such images out") from error
            problem = sentence.replace(str(photograph.path), "its file")  # the atlas is public, folders are not
        rows.append((photograph.key, photograph.id, width, height, problem))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table) and (table["problem"] != "").all():
        raise UserError(f"none of the {len(table)} photographs can be read; the first: {table['problem'][0]}")
    return table


def write_survey(table: pd.DataFrame, path: Path) -> None:
    """Write a survey as TSV."""
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def read_survey(path: Path) -> pd.DataFrame:
    """What write_survey wrote."""
    text = dict.fromkeys(("key", "id", "problem"), str)
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)


def problems(table: pd.DataFrame) -> tuple[str, ...]:
    """A sentence for each photograph that was left out."""
    return tuple(f"Left out: {problem}" for problem in table["problem"] if problem)


def readable(photographs: Sequence[Photograph], table: pd.DataFrame) -> tuple[Photograph, ...]:
    """The photographs without a problem, in their order."""
    good = set(table.loc[table["problem"] == "", "key"])
    return tuple(photograph for photograph in photographs if photograph.key in good)
