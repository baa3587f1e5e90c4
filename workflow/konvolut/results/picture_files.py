"""Files of optimised pictures and of what photographs have in common; drawn in store.py."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from konvolut.results.contents import Pictures, Priors
from konvolut.results.hdf5 import fields_of, new_file, open_file, put, put_fields, read_fields


def write_pictures(path: Path, kind: str, pictures: Mapping[str, Pictures], passport: dict) -> None:
    """Write optimised pictures by start ("noise" or a photograph's key).

    Pictures are not compressed: gzip takes a tenth off them, 33 times as long to write and 12 times as long to read.
    """
    with new_file(path, kind, passport) as file:
        for start, content in pictures.items():
            group = file.create_group(f"pictures/{start}")
            for name, values in fields_of(content).items():
                if values is not None:
                    as_they_are = {"rows_per_chunk": 1, "compression": "none"}
                    put(group, name, values, **(as_they_are if name in ("picture", "intermediate") else {}))


def read_pictures(path: Path) -> dict[str, Pictures]:
    """Read what write_pictures wrote; raises UserError for a file that is none of ours."""
    with open_file(path) as file:
        return {start: read_fields(Pictures, group) for start, group in file["pictures"].items()}


def read_reached(path: Path, start: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels (n,) of a file of pictures, what these reached (n, 4) and their curves, without the pictures."""
    with open_file(path) as file:
        group = file[f"pictures/{start}"]
        return group["channel"][()], group["activation"][()], group["curve"][()]


def write_priors(path: Path, priors: Priors, passport: dict) -> None:
    """Write what photographs have in common."""
    with new_file(path, "priors", passport) as file:
        put_fields(file, priors)


def read_priors(path: Path) -> Priors:
    """Read what write_priors wrote."""
    with open_file(path) as file:
        return read_fields(Priors, file)
