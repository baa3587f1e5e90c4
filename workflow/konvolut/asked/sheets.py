"""The sample sheets (TSV) as models and photographs: their ids, their keys in paths and the files that they name.

Ids and labels are data: any text. Only the key, made from the id, ever becomes part of a path. No torch here.
"""

import dataclasses
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from konvolut.asked import options, places
from konvolut.asked.kinds import UNSHOWABLE
from konvolut.errors import UserError, nearest

LABELLED_BY_FOLDER = "folder"
MODEL_COLUMNS = ("id", "timm_name", "weights", "options", "classes")
IMAGE_COLUMNS = ("id", "path", "label", "group", "credit")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HASH_DIGITS = 8
# Together with the hash a key has at most 64 characters; of a long id the beginning and the end tell most.
SLUG_HEAD, SLUG_TAIL = 25, 29
# Names that other things in results/ and the atlas carry, and those that Windows keeps for devices.
RESERVED = {
    "atlas",
    "atlas-now",
    "logs",
    "plan",
    "photographs",
    "calibration",
    "report",
    "progress",
    "priors",
    "readme",
}
RESERVED |= {"assets", "images", "classes", "index", "about", "compare", "search", "manifest"}
RESERVED |= {"img", "data", "benchmarks", "results", "con", "prn", "aux", "nul"}
RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """One row of the model sheet. `weights` is as written: pretrained, random:SEED, file:PATH, package:MODULE/PATH or
    hf-hub:NAME; a relative PATH refers to `folder`. `options` are keyword arguments of timm.create_model and what
    photographs are to it; `class_names` those of its classes, empty where timm shall tell them.
    """

    id: str
    key: str
    timm_name: str
    weights: str = "pretrained"
    options: tuple[tuple[str, object], ...] = ()
    folder: str = "."
    sheet_line: int = 0
    class_names: tuple[str, ...] = ()

    @property
    def weights_path(self) -> Path | None:
        """The file that holds the weights, or None where timm finds or draws them."""
        return places.weights_path(self.weights, Path(self.folder))


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One photograph: `path` is the file, `source` what the sheet says, `credit` whose it is."""

    id: str
    key: str
    path: str
    source: str = ""
    label: str = ""
    group: str = ""
    credit: str = ""


def read_models(base: Path, sheet: str) -> tuple[ModelSource, ...]:
    """The models of a sheet with columns id, timm_name, weights, options, classes; the files it names must exist."""
    rows = read_rows(base, sheet, MODEL_COLUMNS, required=("id", "timm_name"))
    models = []
    for line, row in rows:
        where = f"{sheet} line {line}"
        if not row["timm_name"]:
            raise UserError(f"{where}: column timm_name is empty")
        weights = row["weights"] or "pretrained"
        places.check_weights(weights, base, where)
        folder = str(base) if places.is_relative(weights) else "."
        id_ = clean_id(row["id"], where)
        asked = options.read(row["options"], f"{where}: options")
        names = read_class_names(row["classes"], base, where) if row["classes"] else ()
        count = dict(asked).get("num_classes", len(names))
        if names and count != len(names):
            raise UserError(
                f"{where}: {row['classes']!r} names {len(names)} classes, the options say num_classes={count}"
            )
        models.append(ModelSource(id_, key_of(id_), row["timm_name"], weights, asked, folder, line, names))
    return _distinct(models, [line for line, _ in rows], sheet, "model")


def read_class_names(source: str, base: Path, where: str) -> tuple[str, ...]:
    """The names in a text file, one a line, in the order of the classes; `source` is a path or package:MODULE/PATH."""
    path, what = places.text_path(source, base, where), f"{where}: classes {source!r}"
    places.check_file(path, what)
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{what} is no UTF-8 text with one class a line") from None
    names = tuple(unicodedata.normalize("NFC", line.strip()) for line in lines)
    for number, name in enumerate(names or ("",), start=1):
        if not name:
            raise UserError(f"{what}: line {number} is empty; each line names one class, in the model's order")
        _check_text([name], f"{what}: line {number}")
    return names


def read_images(base: Path, sheet: str) -> tuple[Photograph, ...]:
    """The photographs of a sheet with columns id, path, label, group, credit, in its order.

    A row may stand for many files (a folder, a glob): they get the row's id + "/" + the stem of their name, and with
    the label "folder" the name of the folder in which each lies (torchvision's ImageFolder).
    """
    rows = read_rows(base, sheet, IMAGE_COLUMNS, required=("path",))
    photographs, lines = [], []
    for line, row in rows:
        where = f"{sheet} line {line}"
        for name, path in places.find_photographs(row["path"], base, where):
            id_ = clean_id("/".join(part for part in (row["id"], name) if part), where)
            label = clean_id(places.folder_name(path), where) if row["label"] == LABELLED_BY_FOLDER else row["label"]
            about = (row["path"], label, row["group"], row["credit"])
            photographs.append(Photograph(id_, key_of(id_), path, *about))
            lines.append(line)
    return _distinct(photographs, lines, sheet, "image")


def read_rows(
    base: Path, sheet: str, columns: Sequence[str], *, required: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Pairs of line number and row; empty lines and lines that begin with # are left out."""
    table = _read_table(base / Path(sheet).expanduser(), sheet)
    header = list(table.iloc[0])
    _check_header(header, columns, required, sheet)
    rows = []
    for index, *cells in table.iloc[1:].itertuples():
        if any(cells) and not cells[0].startswith("#"):
            _check_text(cells, f"{sheet} line {index}")
            rows.append((index, dict.fromkeys(columns, "") | dict(zip(header, cells, strict=True))))
    if not rows:
        raise UserError(f"{sheet} has no rows below its header")
    return rows


def _read_table(path: Path, sheet: str) -> pd.DataFrame:
    # Quotes are data here, so that an id may hold them; utf-8-sig drops the mark that spreadsheets put in front.
    how = {"sep": "\t", "header": None, "dtype": str, "keep_default_na": False, "quoting": 3}
    try:
        first = _lines_before_header(path)
        table = pd.read_csv(path, skip_blank_lines=False, encoding="utf-8-sig", skiprows=first, **how)
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*.tsv")]
        said = f"sheet {sheet} does not exist (looked for {path.absolute()})"
        raise UserError(said + nearest(path.name, beside)) from None
    except OSError as error:
        raise UserError(f"sheet {sheet} cannot be read: {error.strerror or error}") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"sheet {sheet} is empty") from None
    except UnicodeDecodeError:
        raise UserError(f"sheet {sheet} is no UTF-8 text: save it as tab-separated text in UTF-8") from None
    except pd.errors.ParserError as error:
        cells = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        problem = "line {1} has {2} cells, the header {0}".format(*cells.groups()) if cells else str(error)
        raise UserError(f"sheet {sheet} is no table separated by tabs: {problem}") from None
    table = table.fillna("").map(str.strip)
    table.index += first + 1  # as editors count lines
    return table.loc[:, (table != "").any()]


def _lines_before_header(path: Path) -> int:
    """How many empty lines and lines that begin with # a sheet has before its header."""
    with path.open(encoding="utf-8-sig") as lines:
        return sum(1 for _ in itertools.takewhile(lambda line: not line.strip() or line.startswith("#"), lines))


def _check_header(header: list[str], possible: Sequence[str], required: Sequence[str], sheet: str) -> None:
    for name in header:
        if name not in possible or header.count(name) > 1:
            problem = "stands twice" if name in possible else "is unknown"
            raise UserError(
                f"{sheet} line 1: column {name!r} {problem}; possible, separated by tabs: {', '.join(possible)}"
                f"{nearest(name, possible)}"
            )
    missing = [name for name in required if name not in header]
    if missing:
        raise UserError(f"{sheet} line 1: column {missing[0]!r} is missing; there are {', '.join(header)}")


def _check_text(cells: Iterable[str], where: str) -> None:
    """Refuse what terminals, HDF5 and HTML cannot hold: control characters and halves of surrogate pairs."""
    for cell in cells:
        if UNSHOWABLE.search(cell):
            raise UserError(f"{where}: {cell!r} holds a control character or is no Unicode")


def clean_id(text: str, where: str) -> str:
    """The id as it is shown: normal form C, so that two ids that look the same are the same."""
    if not text:
        raise UserError(f"{where}: column id is empty")
    _check_text([text], where)
    return unicodedata.normalize("NFC", text)


def key_of(id_: str) -> str:
    """The name of an id in paths: the id itself where it can be, else a cleaned one and a hash of the id."""
    if KEY.fullmatch(id_) and not id_.endswith(".") and id_.partition(".")[0].lower() not in RESERVED:
        return id_
    ascii_text = unicodedata.normalize("NFKD", id_).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", ascii_text).strip("-")
    if len(slug) > SLUG_HEAD + 1 + SLUG_TAIL:
        slug = f"{slug[:SLUG_HEAD]}-{slug[-SLUG_TAIL:]}"
    digest = hashlib.sha256(id_.encode()).hexdigest()[:HASH_DIGITS]
    return f"{slug or 'id'}-{digest}"


def _distinct(items: list, lines: list[int], sheet: str, what: str) -> tuple:
    """The items, if no two share an id or a key (disks that ignore case would merge A and a)."""
    seen: dict[str, tuple] = {}
    for item, line in zip(items, lines, strict=True):
        other, first = seen.setdefault(item.key.lower(), (item, line))
        if other is not item:
            same = "differ only in case" if other.id.lower() == item.id.lower() else "give the same name in paths"
            clash = "stands twice" if other.id == item.id else f"and {other.id!r} {same}"
            where = f"first on line {first}" if first != line else "two of the row's files have that name"
            raise UserError(f"{sheet} line {line}: {what} id {item.id!r} {clash} ({where})")
    return tuple(items)


def choose_photographs(words: Iterable[str], photographs: Sequence[Photograph], where: str) -> tuple[str, ...]:
    """Ids of the photographs meant by ids, globs, "all" and "first:N", in the order of the sheet."""
    ids = [photograph.id for photograph in photographs]
    chosen: set[str] = set()
    for word in words:
        chosen.update(_photographs_of(word, ids, where))
    return tuple(id_ for id_ in ids if id_ in chosen)


def _photographs_of(word: str, ids: list[str], where: str) -> list[str]:
    counted = re.fullmatch(r"first:([1-9]\d*)", word)
    if word in ids:
        return [word]
    if word == "all":
        return ids
    found = ids[: int(counted[1])] if counted else [id_ for id_ in ids if fnmatchcase(id_, word)]
    if not found:
        raise UserError(f"{where}: {word!r} is no image id of the sheet{nearest(word, ids)}")
    return found
