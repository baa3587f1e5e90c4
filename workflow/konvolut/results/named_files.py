"""Files of objects under names, such as the key of a photograph or a layer; drawn in store.py."""

import json
from collections.abc import Mapping
from pathlib import Path

from konvolut.results.hdf5 import new_file, open_file, put_fields, read_fields


def write_named(path: Path, kind: str, contents: Mapping[str, object], passport: dict) -> None:
    """Write objects of contents.py, each under its name: the key of a photograph or a layer's name."""
    with new_file(path, kind, passport) as file:
        for name, content in contents.items():
            put_fields(file.create_group(f"{kind}/{name}"), content)


def read_named(path: Path, content: type) -> dict:
    """Read what write_named wrote: objects of class `content` by name."""
    with open_file(path) as file:
        kind = file.attrs["kind"]
        return {name: read_fields(content, group) for name, group in file.get(kind, {}).items()}


def read_passport(path: Path) -> dict:
    """The provenance of a result file."""
    with open_file(path) as file:
        return json.loads(file.attrs["passport"])
