"""Where files lie that a sheet names: paths, folders, globs and files inside installed packages. No torch here."""

import glob
import importlib.util
import os
import re
from pathlib import Path

from konvolut.errors import UserError, nearest

WEIGHTS = ("pretrained", "random:SEED", "file:PATH", "package:MODULE/PATH", "hf-hub:NAME")
# What a folder is searched for; a path or a glob may name any file that Pillow reads.
PHOTOGRAPH_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm", ".pgm"}


def weights_path(weights: str, base: Path) -> Path | None:
    """The file of file: and package: weights (absolute; not looked for), None for the others."""
    kind, _, rest = weights.partition(":")
    if kind == "package":
        return package_path(rest, "weights")
    return absolute(rest, base) if kind == "file" else None


def is_relative(weights: str) -> bool:
    """Whether the weights are a file whose place depends on the folder that it is seen from."""
    kind, _, rest = weights.partition(":")
    return kind == "file" and not Path(rest).expanduser().is_absolute()


def check_weights(weights: str, base: Path, where: str) -> None:
    """Raise UserError for weights that are no known word, or a file that is not there."""
    kind, colon, rest = weights.partition(":")
    kinds = [word.partition(":")[0] for word in WEIGHTS]
    if kind not in kinds or (kind == "pretrained") == bool(colon) or (colon and not rest):
        raise UserError(f"{where}: weights {weights!r}; possible: {', '.join(WEIGHTS)}{nearest(kind, kinds)}")
    if kind == "random" and not re.fullmatch(r"\d{1,18}", rest):
        raise UserError(f"{where}: weights {weights!r}: the seed after random: must be a whole number")
    path = package_path(rest, where) if kind == "package" else absolute(rest, base) if kind == "file" else None
    if path:
        _check_file(path, f"{where}: weights {weights!r}")


def find_photographs(source: str, base: Path, where: str) -> list[tuple[str, Path]]:
    """Pairs (name, file) that one cell of the image sheet means; the name is "" where the cell is a single file.

    Folders give the photographs directly in them and globs (** for any depth) all files, in natural order; their names
    are relative to the fixed part of the path, without suffix.
    """
    if not source:
        raise UserError(f"{where}: column path is empty")
    is_package = source.startswith("package:")
    path = package_path(source.removeprefix("package:"), where) if is_package else absolute(source, base)
    if path.is_dir():
        found = [file for file in _files_in(path) if file.suffix.lower() in PHOTOGRAPH_SUFFIXES]
        below = f"{source.rstrip('/')}/**/*"
        problem = f"folder {source!r} has no photographs directly in it; for those below it write {below}"
        return _named(found, path, f"{where}: {problem}")
    if glob.has_magic(str(path)) and not path.exists():
        found = [Path(name) for name in glob.glob(str(path), recursive=True) if os.path.isfile(name)]
        return _named(found, _fixed_part(path), f"{where}: {source!r} matches no file")
    _check_file(path, f"{where}: image {source!r}")
    return [("", path)]


def absolute(path: str, base: Path) -> Path:
    """The path seen from `base`, with ~ as the home folder, without resolving links."""
    return Path(os.path.abspath(base / Path(path).expanduser()))


def package_path(rest: str, where: str) -> Path:
    """The place of MODULE/PATH inside an installed package, found without importing it."""
    module, _, inside = rest.partition("/")
    spec = importlib.util.find_spec(module) if re.fullmatch(r"[A-Za-z_]\w*", module) else None
    if not spec or not spec.submodule_search_locations:
        raise UserError(f"{where}: package:{rest}: no package {module!r} is installed for this Python")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not inside or ".." in Path(inside).parts or Path(inside).is_absolute():
        raise UserError(f"{where}: package:{rest} must name a path inside the package {module!r}")
    return folder / inside


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key in which image2 comes before image10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _files_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_file() and not entry.name.startswith(".")]


def _named(found: list[Path], folder: Path, problem: str) -> list[tuple[str, Path]]:
    if not found:
        raise UserError(problem)
    named = [(file.relative_to(folder).with_suffix("").as_posix(), file) for file in found]
    return sorted(named, key=lambda pair: (natural(pair[0]), str(pair[1])))


def _fixed_part(path: Path) -> Path:
    """The folders in front of the first wildcard."""
    parts = []
    for part in path.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _check_file(path: Path, what: str) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        close = nearest(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
        raise UserError(f"{what} does not exist (looked for {path}){close}") from None
    if not path.is_file():
        raise UserError(f"{what} is no file ({path})")
    if size == 0:
        raise UserError(f"{what} is empty (0 bytes, {path})")
