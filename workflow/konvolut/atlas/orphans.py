"""Pages of layers and models that the atlas no longer has: nothing leads to them, and they would be published with it.

Pages can be made again from the results, which stay (`make stale` lists those). What is no page of ours stays too.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

MARK = b'<meta name="generator" content="Konvolut'
HEAD_BYTES = 2000  # the mark stands in the first lines of base.html
OF_MODEL = ("index.html", "layers.js", "summary.json")


def remove(atlas: Path, layers: Mapping[str, Collection[str]]) -> None:
    """Delete the pages in the folder `atlas` that are of none of its models' layers, by the names of their folders."""
    for folder in sorted(path.parent for path in atlas.glob("*/layers.js")):
        for page in list(_pages_of_layers(folder)):
            if page.stem not in layers.get(folder.name, ()):
                shutil.rmtree(page.with_suffix(""), ignore_errors=True)
                page.unlink()
        if folder.name not in layers and _is_ours(folder / "index.html"):
            for name in OF_MODEL:
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _pages_of_layers(folder: Path) -> Iterable[Path]:
    return (path for path in folder.glob("*.html") if path.name != "index.html" and _is_ours(path))


def _is_ours(page: Path) -> bool:
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return MARK in file.read(HEAD_BYTES)
