"""What was computed of a model, a row per technique: recipe, seed, photographs, pictures, health, command.

And what the numbers mean that a unit's panel shows.
"""

import json
from pathlib import Path

from konvolut.results.columns import COLUMNS

# Techniques in the page's order, what they are called there, and the rule that computes them.
TECHNIQUES = {
    "channels": "features, from noise",
    "neuron": "centre neurons, from noise",
    "negative": "negatives, from noise",
    "diversity": "several that differ, from noise",
    "maco": "phases alone (MaCo), from noise",
    "dreams": "dreams, from photographs",
    "layer_dreams": "dreams of whole layers",
    "accentuation": "accents of photographs",
    "caricature": "caricatures of photographs",
    "classes": "pictures of classes",
    "examples": "best photographs",
    "maps": "feature maps of photographs",
    "saliency": "attribution maps of photographs",
    "patches": "squares that an answer rests on",
    "fooling": "photographs taken for something else",
    "inversion": "what layers still know of photographs",
    "kernels": "kernels",
}
# Numbers of a unit as its panel calls them; what units.csv has, too, is said in the same words.
NUMBERS = {
    "reaches": "the unit's maximum on the finished picture; of a twin, its own on this unit's picture",
    "keeps": "how much of that is left when the picture is moved, turned and scaled a little, in ways of which the "
    "ascent saw none: the median of five",
    "objective": "what the ascent raises, with all that the recipe adds or takes off, from its first step to its last",
    "maximum, mean, deviation": COLUMNS["max"],
    "median, 99 %": f"{COLUMNS['q50']}; here 50 and 99",
    "active on": COLUMNS["active"],
    "selectivity": f"{COLUMNS['selectivity']}; or the word dead: {COLUMNS['dead'].removeprefix('1 where ')}",
    "of its best photographs": f"{COLUMNS['class']}; of more classes the next, too. They are the photographs' labels "
    "where these repeat, else the likeliest answers of the model",
    "similarity": "no number but an order, in which units lie together that rise and fall over the same photographs",
    "correlation": "of two units' maxima over the photographs, 1 where they rise and fall together; by chance alone "
    "the best of as many unrelated units would reach what stands beside it",
    "deviations": f"{COLUMNS['picture_deviations']}; of a twin, its own",
    "its way": f"through each layer below, {COLUMNS['picture_path'].removeprefix('mean over the layers below of ')}",
    "health": f"{COLUMNS['picture_verdict']}: weak is a picture that excites its unit less than the best photograph "
    "does, dead one whose objective never rose. An order by health is one by deviations, too",
}
RULES = {"maps": "activations"}  # others are called as their technique


def rows(summary: dict, classes: dict, images: dict) -> list[dict]:
    """Rows of one model from the summaries of its layers, of the classes and of the photographs' pages."""
    key = summary["folder"]
    found: dict[str, dict] = {}
    for entry in summary["layers"]:
        made = entry["made"] or {"series": []}
        for series in made["series"]:
            row = _row(found, series["technique"])
            row["pictures"] += series["count"]
            _note(row, entry["name"], series["start"], next(iter(series["passports"]), None))
            row["seen"] = max(row["seen"], made["photographs"] * (series["technique"] == "examples"))
            for name, count in series["health"].items():
                row["health"][name] = row["health"].get(name, 0) + count
        for whole in made.get("wholes", ()):
            row = _row(found, whole["technique"])
            row["pictures"] += 1
            _note(row, entry["name"], whole["start"], whole["passport"])
    if key in classes.get("passports", {}):
        row = _row(found, "classes")
        row["pictures"] = sum(entry["pictures"] for entry in classes["classes"] if entry["model"] == key)
        _note(row, "", "", classes["passports"][key])
    for technique, told in images.get(key, {}).items():
        row = _row(found, technique)
        row["pictures"], row["seen"], row["layers"] = told["pictures"], told["photographs"], set(told["layers"])
        _note(row, "", "", told["passport"])
    return [_told(found[name]) for name in TECHNIQUES if name in found]


def versions(told: list[dict]) -> str:
    """The versions of libraries that any of the rows was made with, as one line."""
    pairs = {pair for row in told if row["passport"] for pair in row["passport"].get("versions", {}).items()}
    return ", ".join(f"{library} {version}" for library, version in sorted(pairs))


def read(folder: Path | None) -> dict:
    """The summary that class_pages or image_pages left; {} where they have not run."""
    path = Path(folder) / "summary.json" if folder else None
    return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}


def _row(found: dict[str, dict], technique: str) -> dict:
    new = {"layers": set(), "starts": set(), "seen": 0, "pictures": 0, "health": {}, "passport": None}
    return found.setdefault(technique, {"technique": technique, **new})


def _note(row: dict, layer: str, start: str, passport: dict | None) -> None:
    row["layers"] |= {layer} - {""}
    row["starts"] |= {start} - {""}
    row["passport"] = row["passport"] or passport


def _told(row: dict) -> dict:
    passport = row["passport"] or {}
    starts = {start for start in row["starts"] if not start.startswith("noise")}
    rule = RULES.get(row["technique"], row["technique"])
    return {
        "technique": row["technique"],
        "title": TECHNIQUES[row["technique"]],
        "layers": len(row["layers"]),
        "pictures": row["pictures"],
        "photographs": row["seen"] or len(starts),
        "health": row["health"],
        "recipe": passport.get("recipe", {}).get("name", ""),
        "seed": passport.get("seed", ""),
        "passport": row["passport"],
        "command": f"snakemake --cores all --until {rule} --forcerun {rule}",
    }
