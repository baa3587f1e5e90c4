"""What the search and the page of comparisons know of the whole atlas: search.js, asked for when a reader searches."""

from collections.abc import Sequence

from konvolut.atlas.inputs import FrontInputs


def index(summaries: list[dict], inputs: FrontInputs, classes: Sequence[dict] = ()) -> dict:
    """Models with their layers and the series of each; photographs; `top` of a unit is the place of its best one.

    Photographs are those with a page, and with a 1 behind them those without that excite some unit most.

    `classes` are those with pictures: name, page and picture, both from the folder of the classes.
    """
    pages = set(inputs.settings.images)
    layers = [entry["made"] for summary in summaries for entry in summary["layers"] if entry["made"]]
    best = {key for made in layers for key in made["best"]["photographs"]}
    photographs = [photo for photo in inputs.photographs if photo.id in pages or photo.key in best]
    place = {photo.key: number for number, photo in enumerate(photographs)}
    return {
        "kind": "search",
        "models": [_model(summary, place) for summary in summaries],
        "photographs": [
            [photo.key, photo.label or photo.id, *([] if photo.id in pages else [1])] for photo in photographs
        ],
        "classes": [[entry["name"], entry["page"], entry["picture"]] for entry in classes],
    }


def _model(summary: dict, place: dict[str, int]) -> dict:
    facts = summary["model"]
    return {
        "id": facts["id"],
        "folder": summary["folder"],
        "timm": facts["timm_path"],
        "weights": facts["weights"],
        "layers": [_layer(entry, place) for entry in summary["layers"] if entry["made"]],
    }


def _layer(entry: dict, place: dict[str, int]) -> dict:
    """A layer of a model's summary.json; `units` are those of its first series with pictures."""
    made = entry["made"]
    shown = next((series for series in made["series"] if series["sheets"]), None)
    best = [place.get(key, -1) for key in made["best"]["photographs"]]
    return {
        "name": entry["name"],
        "folder": entry["folder"],
        "count": entry["channels"],
        "series": shown and {name: shown[name] for name in ("prefix", "technique", "units", "sheets")},
        "names": made["names"],
        "top": [best[number] if number >= 0 else -1 for number in made["best"]["of_unit"]],
    }
