"""Where a result comes from: passports, digests of code, seeds of units. No torch here."""

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Collection, Iterable
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).parent
VERSION = "0.1.0"
PARTS_OF_PAGES = (".html", ".js", ".css", ".svg")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Libraries whose version can change a picture's bytes.
LIBRARIES = ("torch", "timm", "captum", "numpy", "pillow", "h5py")
# Modules whose only effect on a result goes through its parameters, with what they alone import: a changed error
# message there changes no picture.
ASKED = ("settings", "sections", "kinds", "keys", "configfiles", "amounts", "sheets", "places", "shards", "outputs")
TELLERS = frozenset({"errors", "job", "results.part", *(f"asked.{name}" for name in ASKED)})


def passport(**facts) -> dict:
    """Where a result comes from: the given facts (the code's digest among them) and versions; no clock, no host."""
    versions = {name: _version(name) for name in LIBRARIES}
    versions["python"] = ".".join(map(str, sys.version_info[:2]))
    return {"konvolut": VERSION, "versions": versions, **facts}


def unit_seed(seed: int, *names: str | int) -> int:
    """A seed in 0..2**63-1 from the unit alone: sha256 of (seed, model, layer, channel, technique, repeat)."""
    text = json.dumps([seed, *names], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def code_digest(*modules: str) -> str:
    """Twelve hex digits over the modules of this package and all that they import of it.

    Taken from the syntax trees without docstrings, so that a changed formula changes it and a changed comment does not;
    templates and static files count as they are.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(*modules, without=TELLERS)):
        digest.update(name.encode() + b"\0" + _parsed(name)[1].encode())
        digest.update(_data_beside(_path(name).parent))
    return digest.hexdigest()[:12]


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def photographs_sha256(photographs: Iterable) -> dict[str, str]:
    """What a passport says of photographs (asked.sheets.Photograph): the sha256 of each file by the key."""
    return {photograph.key: file_sha256(photograph.path) for photograph in photographs}


def texts_sha256(texts: Iterable[str]) -> str:
    """Of texts without line breaks, in their order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def closure(*modules: str, without: Collection[str] = ()) -> set[str]:
    """The modules and all that they import of this package, directly or not, but not by those `without`."""
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in without:
            found.add(name)
            waiting.extend(imports_of(name))
    return found


def imports_of(module: str) -> tuple[str, ...]:
    """Names of this package's modules that a module imports, such as ("errors", "atlas.model")."""
    return _parsed(module)[0]


@functools.cache
def _parsed(module: str) -> tuple[tuple[str, ...], str]:
    """What a module imports of this package, and its syntax tree without docstrings as text."""
    tree = ast.parse(_source(module))  # what takes longest, and every job does it for all modules
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return _imported(nodes), ast.dump(tree)


def _imported(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    names = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "konvolut":
                names += [alias.name for alias in node.names]
            elif node.module.startswith("konvolut."):
                base = node.module.removeprefix("konvolut.")
                names += [f"{base}.{a.name}" if _path(f"{base}.{a.name}").is_file() else base for a in node.names]
        elif isinstance(node, ast.Import):
            names += [a.name.removeprefix("konvolut.") for a in node.names if a.name.startswith("konvolut.")]
    return tuple(name for name in dict.fromkeys(names) if _path(name).is_file())


@functools.cache
def _data_beside(folder: Path) -> bytes:
    """Names and contents of templates and static files of the package that modules lie in; none of those at the top.

    Nothing else counts: Python and editors leave files of their own there, and take them away again.
    """
    files = [] if folder == PACKAGE else folder.glob("*/*")
    paths = sorted(path for path in files if path.suffix in PARTS_OF_PAGES)
    return b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in paths)


def _path(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


def _source(module: str) -> str:
    return _path(module).read_text(encoding="utf-8")


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "absent"
