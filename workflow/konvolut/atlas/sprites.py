"""Where on which sheet a unit's picture lies, as pages show it: a link with a cut-out of a sheet."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.selection import parse_channels


@dataclass(frozen=True)
class Sprite:
    """One unit's picture: `column` and `row` on a sheet `columns` wide, `ratio` = width / height of a tile."""

    channel: int
    link: str
    file: str
    column: int
    row: int
    columns: int
    ratio: float
    note: str = ""

    def noted(self, note: str) -> "Sprite":
        """The same picture with a caption."""
        return replace(self, note=note)


def layer_sprites(series: dict, folder_url: str, kind: str) -> list[Sprite]:
    """The pictures of a series (of a layer's summary.json) on its plates or its large sheets, where it has them."""
    kind = kind if kind in series["sheets"] else "plate"
    sheet = series["sheets"][kind]
    kind_prefix = "" if kind == "plate" else f"{kind}-"
    per_file = sheet["columns"] * sheet["rows"]
    base, _, layer = folder_url.rpartition("/")
    page = f"{base}/{quote(layer)}"
    return [
        Sprite(
            channel=channel,
            link=f"{page}.html#u{channel}{_state(series)}",
            file=f"{page}/{kind_prefix}{series['prefix']}-{slot // per_file}.webp",
            column=slot % sheet["columns"],
            row=slot % per_file // sheet["columns"],
            columns=sheet["columns"],
            ratio=round(sheet["width"] / sheet["height"], 4),
        )
        for slot, channel in enumerate(parse_channels(series["units"]))
    ]


def read_summary(folder: Path) -> dict:
    """What layer_pages or model_page left for other pages in summary.json; {} where it has not run."""
    path = Path(folder) / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _state(series: dict) -> str:
    return f"&t={series['prefix']}" if series["technique"] in (*FROM_NOISE[1:], "dreams", "accentuation") else ""
