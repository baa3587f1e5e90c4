"""Files of attribution maps; drawn in store.py."""

from pathlib import Path

from konvolut.results.contents import Saliency
from konvolut.results.hdf5 import new_file, open_file, put, put_text, text_of


def write_saliency(path: Path, saliency: Saliency, passport: dict) -> None:
    """Write attribution maps."""
    with new_file(path, "saliency", passport) as file:
        put_text(file, "image", saliency.image)
        put(file, "input", saliency.input, rows_per_chunk=1)
        put(file, "target/class", saliency.target_class)
        put_text(file, "target/name", saliency.target_name)
        put(file, "target/probability", saliency.target_probability)
        for method, maps in sorted(saliency.maps.items()):  # as they are read back: a file's bytes keep the order
            put(file, f"maps/{method}", maps, rows_per_chunk=1)
        for method, reason in sorted(saliency.refused.items()):
            put_text(file, f"refused/{method}", reason)


def read_saliency(path: Path) -> Saliency:
    """Read what write_saliency wrote."""
    with open_file(path) as file:
        return Saliency(
            image=text_of(file["image"]),
            input=file["input"][()],
            target_class=file["target/class"][()],
            target_name=text_of(file["target/name"]),
            target_probability=file["target/probability"][()],
            maps={method: maps[()] for method, maps in file.get("maps", {}).items()},
            refused={method: text_of(reason) for method, reason in file.get("refused", {}).items()},
        )
