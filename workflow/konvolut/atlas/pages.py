"""Views in, text out: the only door to Jinja2. Everything that a user named is escaped here."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import jinja2
from markupsafe import Markup, escape

from konvolut.asked.selection import format_channels, parse_channels
from konvolut.atlas import account, cards, model, plates
from konvolut.atlas.attributions import METHODS
from konvolut.atlas.classes import ClassView
from konvolut.atlas.inputs import FrontInputs
from konvolut.atlas.model import LayerFacts, Network, layer_facts
from konvolut.atlas.photographs import PhotographView
from konvolut.atlas.units import LayerUnits, Series
from konvolut.pictures import health, images
from konvolut.provenance import VERSION

TEMPLATES = Path(__file__).parent / "templates"
TECHNIQUES = {
    "channels": "{}",
    "neuron": "{}",
    "negative": "{}",
    "diversity": "{}",
    "maco": "{}",
    "dreams": "Dreams of {}",
    "accentuation": "Accents of {}",
    "examples": "Photographs",
    "maps": "Maps of {}",
    "kernels": "Kernels",
}  # in the pages' order
LONGEST_SPOKEN = 24  # letters of a name that a screen reader says of each of thousands of units
MODULE_SIDE_BRANCHES = ("downsample", "shortcut", "skip")  # timm's names of the modules beside the main path


def script(content: dict) -> str:
    """A classic script that hands `content` to the page: works from file://, where fetch does not."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"ATLAS({text})\n"


def layer(
    network: Network, facts: LayerFacts, units: LayerUnits, wholes: Sequence[dict] = (), *, folder: Path, title: str
) -> str:
    """The page of one layer, beside its folder: a grid of links over plates; the script adds the rest."""
    return _render(
        "layer.html",
        beside=folder.parent,
        root="../",
        title=title,
        network=network,
        layer=facts,
        folder=quote(folder.name),
        units=units,
        grid=_plates(units, quote(folder.name)),
        wholes=wholes,
        photographs=units.photographs,
    )


def network(network: Network, census: list[LayerFacts], layers: list[dict], *, title: str, running: bool) -> str:
    """The page of one model: its layers from stem to head."""
    stages: dict[str, list[dict]] = {}
    for entry in layers:
        side = any(word in entry["name"] for word in MODULE_SIDE_BRANCHES)
        sees = network.sees(layer_facts(census, entry["name"]))
        row = entry | {"url": quote(entry["folder"]), "side_branch": side, "sees": sees}
        stages.setdefault(entry["stage"] or "Layers", []).append(row)
    return _render(
        "model.html",
        root="../",
        title=title,
        network=network,
        census=census,
        stages=stages,
        series=_techniques(layers),
        unit_count=sum(cards.pictured(entry) for entry in layers),
        layer_count=len(layers),
        running=running,
    )


def photograph(view: PhotographView, *, neighbours: tuple, beside: Path, title: str) -> str:
    """The page of one photograph; `beside` is its folder."""
    facts = {"view": view, "before": neighbours[0], "after": neighbours[1]}
    return _render("image.html", beside=beside, root="../", title=title, **facts)


def index_name(number: int) -> str:
    """The file of the list of photographs number 1, 2, ..."""
    return f"index-{number}.html" if number > 1 else "index.html"


def photographs(
    views: list[PhotographView], number: int, counts: dict[str, int], left_out: Sequence[str], *, title: str
) -> str:
    """One of the pages that list photographs; `counts` has those `shown`, `all`, and the number of `lists`;
    `left_out` has a sentence on each that cannot be read."""
    others = [(other, index_name(other)) for other in range(1, counts["lists"] + 1)]
    facts = {"views": views, "number": number, "counts": counts, "others": others, "left_out": left_out}
    return _render("images.html", root="../", title=title, **facts)


def a_class(view: ClassView, neighbours: tuple, *, beside: Path, title: str) -> str:
    """The page of one class of a model; `beside` is its folder."""
    facts = {"view": view, "before": neighbours[0], "after": neighbours[1]}
    return _render("class.html", beside=beside, root="../../", title=title, **facts)


def classes(views: list[ClassView], *, title: str) -> str:
    """The page with all classes that have pictures."""
    return _render("classes.html", root="../", title=title, views=views)


def front(summaries: list[dict], inputs: FrontInputs, classes: Sequence[dict] = ()) -> str:
    """What a reader opens first."""
    return _render(
        "front.html",
        root="",
        title=inputs.settings.title,
        models=[cards.card(summary) for summary in summaries],
        unit_count=sum(cards.pictured(entry) for summary in summaries for entry in summary["layers"]),
        photographs=inputs.photographs,
        paged=model.paged(inputs.photographs, inputs.settings),
        classes=classes,
        running=inputs.running,
        techniques=sorted({name for summary in summaries for name in _techniques(summary["layers"])}),
    )


def compare(*, title: str) -> str:
    """The page that shows units, layers and models side by side; its address says which."""
    return _render("compare.html", root="", title=title)


def about(summaries: list[dict], inputs: FrontInputs, *, title: str) -> str:
    """What was computed, from what, and how to repeat it."""
    classes, images = account.read(inputs.classes), account.read(inputs.images)
    computed = [
        {
            "model": summary["model"],
            "folder": summary["folder"],
            "rows": (rows := account.rows(summary, classes, images)),
            "versions": account.versions(rows),
            "missing": [layer["name"] for layer in summary["layers"] if not layer["made"]],
        }
        for summary in summaries
    ]
    paged = model.paged(inputs.photographs, inputs.settings)
    return _render(
        "about.html", root="", title=title, computed=computed, inputs=inputs, paged=paged, numbers=account.NUMBERS
    )


def _plates(units: LayerUnits, folder: str) -> dict:
    """The grid that is there without a script: plates of the first series with pictures."""
    series = next((series for series in units.series if series.sheets), None)
    if series is None:
        return {"series": None, "plates": [], "few": False}
    sheet = series.sheets["plate"]
    size = plates.PLATE_COLUMNS**2
    parts = [range(first, min(first + size, len(series.channels))) for first in range(0, len(series.channels), size)]
    return {
        "series": series,
        "plates": [_plate(units, series, part, f"{folder}/{series.prefix}-{n}.webp") for n, part in enumerate(parts)],
        "width": sheet["width"] * plates.PLATE_COLUMNS,
        "side": sheet["height"],
        "few": len(series.channels) <= plates.FEW_UNITS,
    }


def _plate(units: LayerUnits, series: Series, slots: range, file: str) -> dict:
    rows = -(-len(slots) // plates.PLATE_COLUMNS)
    tiles = [
        {
            "channel": series.channels[slot],
            "x": _share(place % plates.PLATE_COLUMNS, plates.PLATE_COLUMNS),
            "y": _share(place // plates.PLATE_COLUMNS, rows),
            "link": _link(units, series, slot),
        }
        for place, slot in enumerate(slots)
    ]
    return {"file": file, "tiles": tiles, "free": -len(tiles) % plates.PLATE_COLUMNS, "rows": rows}


def _link(units: LayerUnits, series: Series, slot: int) -> Markup:
    """Attributes of the link to a unit: its place on the page, its mark, and what names it beside its number, which is
    its class, or the photograph that excites it most, said to be that: it is not what the unit means."""
    channel, letter = series.channels[slot], series.health[slot : slot + 1]
    top = None if units.names else units.top(channel)
    name = units.names[channel] if units.names else top.name if top else ""
    name = name if len(name) <= LONGEST_SPOKEN else f"{name[:LONGEST_SPOKEN]}…"
    name = f"best: {name}" if top else name
    marked = letter in (health.DEAD, health.WEAK)
    words = f"Unit {channel}{name and ': '}{name}{f', {health.NAMES[letter]}' if marked else ''}"
    mark = f" class={letter}" if marked else ""
    return Markup(f'id=u{channel} href=#u{channel}{mark} aria-label="{escape(words)}"')


def _share(place: int, count: int) -> str:
    """Where a tile lies on a sheet, as CSS' background-position counts it: 0 is the first, 100 the last."""
    return f"{100 * place / (count - 1):.5g}" if count > 1 else "0"


def _techniques(layers: list[dict]) -> dict[str, str]:
    """Prefix and title of each series that any layer has: features, dreams, photographs."""
    found = [series for layer in layers for series in (layer["made"] or {"series": []})["series"]]
    found.sort(key=lambda series: list(TECHNIQUES).index(series["technique"]))
    return {series["prefix"]: TECHNIQUES[series["technique"]].format(series["title"]) for series in found}


@jinja2.pass_context
def _sides(context: jinja2.runtime.Context, url: str) -> Markup:
    """width and height of a picture that a page beside it shows: its room is kept until it is loaded."""
    path = context["beside"] / unquote(url)
    if not path.is_file():
        return Markup()
    height, width = images.check_header(path)
    return Markup(f'width="{width}" height="{height}"')


def _render(template: str, **values) -> str:
    return _environment().get_template(template).render(version=VERSION, **values)


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "thousands": lambda number: f"{number:,}",
        "counted": lambda number, word: f"{number:,} {word}{'' if number == 1 else 's'}",
        "percent": lambda share: f"{share * 100:.0f} %" if share >= 0.01 else "< 1 %",
        "url": quote,
        "pretty": lambda value: json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False),
        "ranges": lambda channels: format_channels(channels).replace("-", "–").replace(",", ", "),
        "channels": parse_channels,
        "stage": stage_title,
        "method": lambda name: METHODS.get(name, name),
        "sides": _sides,
    }
    return environment


def stage_title(stage: str) -> str:
    """A heading from the census' word for a stage: "2" -> "Stage 2", "stem" -> "Stem"."""
    return f"Stage {stage}" if stage.isdigit() else stage[:1].upper() + stage[1:]
