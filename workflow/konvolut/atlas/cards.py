"""A model on the front page: a mosaic of its strips and one row per stage, from its summary.json."""

from urllib.parse import quote

from konvolut.atlas import plates

WITHOUT_ASCENT = ("examples", "maps", "kernels")
MOSAIC_UNITS = 6  # fewer squares do not fill the width of a card


def card(summary: dict) -> dict:
    """A model as the front page shows it: a mosaic of three strips and one row per stage."""
    folder = quote(summary["folder"])
    rows = [_strip_row(folder, entry) for entry in summary["layers"] if (entry["made"] or {}).get("series")]
    rows = [row for row in rows if row["technique"] == "channels"] or rows
    full = [row for row in rows if row["count"] >= MOSAIC_UNITS] or rows
    last_of_stage = {row["stage"] or row["name"]: row for row in rows}
    return {
        "model": summary["model"],
        "url": f"{folder}/index.html",
        "mosaic": [full[place] for place in plates.spread(len(full), 3)],
        "stages": list(last_of_stage.values()),
        "layer_count": len(summary["layers"]),
        "unit_count": sum(pictured(entry) for entry in summary["layers"]),
        "units": [[row["url"], row["units"]] for row in rows],
    }


def _strip_row(folder: str, layer: dict) -> dict:
    first = layer["made"]["series"][0]
    page = f"{folder}/{quote(layer['folder'])}"
    return {
        "stage": layer["stage"],
        "name": layer["name"],
        "url": f"{page}.html",
        "strip": f"{page}/strip-{first['prefix']}.webp",
        "units": first["units"],
        "count": first["count"],
        "technique": first["technique"],
    }


def pictured(layer: dict) -> int:
    """How many units of a layer (an entry of a model's summary.json) have an optimised picture."""
    made = layer["made"] or {"series": []}
    return max((series["count"] for series in made["series"] if series["technique"] not in WITHOUT_ASCENT), default=0)
