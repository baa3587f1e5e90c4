"""Where files lie that a sheet names: paths, folders, globs and files inside installed packages. No torch here."""

import glob
import importlib.util
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from konvolut.errors import UserError, nearest

WEIGHTS = ("pretrained", "random:SEED", "file:PATH", "package:MODULE/PATH", "hf-hub:NAME")
# What folders and globs are searched for; a path may name any file that Pillow reads.
PHOTOGRAPH_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".avif",
    ".jp2",
    ".ppm",
)
# What Snakemake takes for a wildcard of its own wherever it stands in a path; it knows no way to write such a name.
WILDCARD = re.compile(r"\{\s*[.\w]+\s*(,.*)?\}")
NUMBER = re.compile(r"\d+")


def weights_path(weights: str, base: Path) -> Path | None:
    """The file of file: and package: weights (absolute; not looked for), None for the others."""
    kind, _, rest = weights.partition(":")
    if kind == "package":
        return package_path(rest, "weights")
    return absolute(rest, base) if kind == "file" else None


def text_path(source: str, base: Path, where: str) -> Path:
    """The file that a path or package:MODULE/PATH means (absolute; not looked for)."""
    kind, _, rest = source.partition(":")
    return package_path(rest, where) if kind == "package" else absolute(source, base)


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
        check_file(path, f"{where}: weights {weights!r}")


def find_photographs(source: str, base: Path, where: str) -> list[tuple[str, str]]:
    """Pairs (name, file) that one cell of the image sheet means; the name is "" where the cell is a single file.

    Folders give the photographs directly in them and globs (** for any depth) all that they match, in natural order;
    their names are relative to the folder, or to the fixed part of the glob, and without suffix.
    Files are texts here, as there may be a million of them, and a Path takes ten times as long.
    """
    if not source:
        raise UserError(f"{where}: column path is empty")
    folder, inside = base, source
    if source.startswith("package:"):
        folder, inside = _inside_package(source.removeprefix("package:"), where)
    path = absolute(inside, folder)
    if path.is_dir():
        with os.scandir(path) as entries:  # which knows of folders without a look at each
            names = [one.name for one in entries if not one.name.startswith(".") and not one.is_dir()]
        problem = f"has none directly in it; for those below it write {source.rstrip('/')}/**/*"
        return _photographs([os.path.join(path, name) for name in names], path, f"{where}: folder {source!r}", problem)
    if glob.has_magic(inside) and not path.exists():
        pattern = os.path.expanduser(inside)
        found = [os.path.abspath(os.path.join(folder, name)) for name in dict.fromkeys(_matches(pattern, folder))]
        return _photographs(found, absolute(_fixed_part(pattern), folder), f"{where}: {source!r}", "matches none")
    check_file(path, f"{where}: image {source!r}")
    return [("", str(path))]


def folder_name(path: str) -> str:
    """The name of the folder in which a file lies; "/" for the outermost."""
    return os.path.basename(os.path.dirname(path)) or os.sep


def absolute(path: str, base: Path) -> Path:
    """The path seen from `base`, with ~ as the home folder, without resolving links."""
    return Path(os.path.abspath(base / Path(path).expanduser()))


def package_path(rest: str, where: str) -> Path:
    """The place of MODULE/PATH inside an installed package, found without importing it."""
    folder, inside = _inside_package(rest, where)
    return folder / inside


def _inside_package(rest: str, where: str) -> tuple[Path, str]:
    module, _, inside = rest.partition("/")
    try:
        spec = importlib.util.find_spec(module) if module.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    if not spec or not spec.submodule_search_locations:
        raise UserError(f"{where}: package:{rest}: no package {module!r} is installed for this Python")
    if not inside or inside.startswith(("/", "~")) or ".." in Path(inside).parts:
        raise UserError(f"{where}: package:{rest} must name a path inside the package {module!r}")
    return Path(next(iter(spec.submodule_search_locations))), inside


def natural(text: str) -> str:
    """A sort key in which image2 comes before image10: a number as its length and itself, behind what sorts first."""
    return NUMBER.sub(_counted, text)


def _counted(number: re.Match) -> str:
    digits = str(int(number[0]))
    return f"\0{len(digits):03}{digits}"


def check_file(path: Path, what: str) -> None:
    """Raise UserError, beginning with `what`, if the file is missing, no file, empty, or of a name in braces."""
    try:
        size = path.stat().st_size
    except OSError:
        if path.is_symlink():
            raise UserError(f"{what} is a link that leads nowhere ({path})") from None
        close = nearest(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
        raise UserError(f"{what} does not exist (looked for {path}){close}") from None
    if not path.is_file():
        raise UserError(f"{what} is no file ({path})")
    if size == 0:
        raise UserError(f"{what} is empty (0 bytes, {path})")
    _check_braces(path, what)


def _check_braces(path: Path | str, what: str) -> None:
    found = WILDCARD.search(str(path))
    if found:
        raise UserError(f"{what}: Snakemake takes {found[0]} in {path} for a wildcard: rename it, without its braces")


def _photographs(found: list[str], folder: Path, what: str, problem: str) -> list[tuple[str, str]]:
    files = [file for file in found if os.path.splitext(file)[1].lower() in PHOTOGRAPH_SUFFIXES]
    if not files:
        raise UserError(f"{what} {problem} (photographs end in {' '.join(PHOTOGRAPH_SUFFIXES)})")
    for file in files:
        if "{" in file:
            _check_braces(file, what)
    begin = len(os.path.join(folder, ""))
    named = [(os.path.splitext(file[begin:])[0], file) for file in files]
    return sorted(named, key=lambda pair: (natural(pair[0]), pair[1]))


def _matches(pattern: str, root: Path) -> Iterator[str]:
    """What glob.glob finds, but for links back to a folder above: with two of them glob never comes to an end."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.glob(pattern, root_dir=root)
        return
    at = parts.index("**")
    rest = os.path.join(*parts[at + 1 :] or "*")
    for base in glob.glob(os.path.join(*parts[:at]), root_dir=root) if at else [""]:
        for folder in _folders(root / base):
            yield from (os.path.join(folder, name) for name in _matches(rest, Path(folder)))


def _folders(top: Path) -> Iterator[str]:
    """A folder and all below it, but for hidden ones and links to a folder that they lie in."""
    for here, names, _ in os.walk(top, followlinks=True):
        names[:] = [name for name in names if not name.startswith(".") and not _leads_back(Path(here, name))]
        yield here


def _leads_back(path: Path) -> bool:
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


def _fixed_part(pattern: str) -> str:
    """The folders in front of the first wildcard."""
    return str(Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)))
