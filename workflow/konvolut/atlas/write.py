"""The files of the atlas: each function is the work of one job and writes only what that job owns.

    layer_pages   {model}/{layer}.html and the folder {model}/{layer}/ with
                  {series}-{n}.webp large-{series}-{n}.webp steps-{series}-{n}.webp     sheets, see plates.py;
                  a series is channels, neuron, negative, diversity, maco, examples, kernels, or dreams-, maps- or
                  accentuation-{key of the photograph}; clear-{series}-{n}.webp with MaCo's transparency,
                  ascent-{series}-{channel}.webp animations
                  [steps-]layer_dreams-{key}.webp [steps-]caricature-{key}.webp     of the whole layer, see wholes.py
                  strip-{series}.webp       squares for the model's page
                  columns.js details-{n}.js units.csv summary.json photographs.txt
    model_page    {model}/index.html layers.js summary.json            reads the summaries of its layers
    image_pages   images/index.html summary.json index-{n}.html {key}.html large/{key}.webp of settings.images
                  images/photo/{key}.webp of these and of those that layers' photographs.txt name
                  images/saliency/{key}/{model}-{target}-{method}.webp
                  images/trials/{key}/{model}-{square,fooled,change,knows}-{which}.{webp,png}
    class_pages   classes/index.html summary.json {model}/{number}.html {model}/{number}-{regularisation}[-steps].webp
    front_page    index.html about.html compare.html search.js manifest.json .nojekyll assets/
                  reads the summaries of the models; takes away pages of layers and models that are not among them

Nothing here looks at a clock: the same results give the same bytes.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import numpy as np

from konvolut.atlas import (
    assets,
    classes,
    details,
    evidence,
    likeness,
    model,
    orphans,
    pages,
    photographs,
    plates,
    search,
    series,
    tiles,
    units,
    wholes,
)
from konvolut.atlas.inputs import FrontInputs, ImageInputs, LayerInputs, ModelInputs
from konvolut.pictures import images
from konvolut.provenance import VERSION

SEEN = "photographs.txt"  # in a layer's folder: keys of the photographs that its units' panels show
IMAGES_PER_INDEX = 200  # of the pages that list photographs: as many pictures as a reader scrolls through
HASH_DIGITS = 12  # of the weights' sha256 in a citation, as on the model's page
LARGE_PHOTO_PX = 640  # the photograph on its own page: half of a laptop's screen


def layer_pages(inputs: LayerInputs, html: Path, folder: Path) -> None:
    """Write the page of one layer and everything that it shows."""
    folder = _emptied(folder)
    network = model.read_network(inputs.model_json)
    facts = model.layer_facts(model.read_census(inputs.census_csv), inputs.layer)
    found = model.read_examples(inputs.examples, inputs.layer)
    examples = found.layers.get(inputs.layer)
    shown = model.shown(inputs.photographs, model.read_answers(inputs.activations), inputs.settings)
    maxima = None
    if examples is not None:
        maxima = np.stack([examples.edges[:, 0], examples.max, examples.mean, examples.std], 1).astype(float)
    optimised = series.write_optimised(inputs, folder, maxima)
    names = inputs.class_names or network.class_names
    names = names if facts.channels == network.class_count and facts.kind == "Linear" else ()
    beside = evidence.read_beside(inputs)
    natural = None if examples is None else evidence.Natural(found, examples, shown, inputs.examples_shown, beside)
    similar = tuple(likeness.ranks(inputs.activations, inputs.layer))
    layer_units = units.LayerUnits(facts.channels, optimised, natural, tuple(names), similar, inputs.planned)
    if examples is not None:
        optimised.append(series.write_examples(inputs, folder, layer_units))
    optimised += [*tiles.write_feature_maps(inputs, folder), *tiles.write_kernels(inputs, folder)]
    origin = {"model": network.key, "id": network.id, "timm": network.timm_path}
    origin["hash"] = network.weights_sha256[:HASH_DIGITS]
    again = origin | {"layer": facts.name, "command": inputs.again, "python": network.snippet(facts.name)}
    columns = units.columns(layer_units) | {"again": again}
    _write_text(folder / "columns.js", pages.script(columns))
    seen = {key for key, *_ in columns["photographs"]}
    for number, content in details.details(layer_units):
        _write_text(folder / f"details-{number}.js", pages.script(content))
        seen.update(key for key, *_ in content["photographs"])
    _write_text(folder / SEEN, "".join(f"{key}\n" for key in sorted(seen)))
    _write_text(folder / "units.csv", _csv(units.table(layer_units)))
    whole = wholes.write_wholes(inputs, folder)
    shown_wholes = [one.within(f"../{quote(network.key)}/{quote(folder.name)}") for one in whole]
    _write_json(folder / "summary.json", units.summary(layer_units, facts) | {"wholes": shown_wholes})
    text = pages.layer(network, facts, layer_units, shown_wholes, folder=folder, title=inputs.settings.title)
    _write_text(html, text)


def model_page(inputs: ModelInputs, html: Path) -> None:
    """Write the page of one model, and beside it the list of its layers as layers.js and summary.json."""
    html = Path(html)
    network = model.read_network(inputs.model_json)
    census = model.read_census(inputs.census_csv)
    layers = [
        {"folder": Path(folder).name, **asdict(model.layer_facts(census, name)), "made": _read_json(folder)}
        for name, folder in inputs.layers
    ]
    layers.sort(key=lambda layer: layer["index"])
    facts = asdict(network) | {"timm_path": network.timm_path}
    _write_json(html.with_name("summary.json"), {"model": facts, "layers": layers})
    rows = [[layer["name"], quote(f"{layer['folder']}.html")] for layer in layers]
    _write_text(html.with_name("layers.js"), pages.script({"kind": "layers", "layers": rows}))
    _write_text(html, pages.network(network, census, layers, title=inputs.settings.title, running=inputs.running))


def image_pages(inputs: ImageInputs, folder: Path) -> None:
    """Write the pages of the photographs, their thumbnails and their attribution maps."""
    folder = _emptied(folder)
    for kind in ("photo", "large", "saliency"):
        (folder / kind).mkdir()
    paged = {photo.key for photo in model.paged(inputs.photographs, inputs.settings)}
    seen = paged | _seen(layer for source in inputs.models for _, layer in source.layers)
    sides_px = {"photo": inputs.settings.large_px * 3 // 2, "large": LARGE_PHOTO_PX}
    for photo in inputs.photographs:
        if photo.key in seen:
            upright = images.read(photo.path)
            for kind in sides_px if photo.key in paged else ("photo",):
                small = images.shrink(upright, sides_px[kind])
                images.write_webp(folder / kind / f"{photo.key}.webp", small, plates.QUALITY)
    views = photographs.views(inputs, folder / "saliency")
    for number, view in enumerate(views):
        neighbours = (views[number - 1] if number else None, views[number + 1] if number + 1 < len(views) else None)
        text = pages.photograph(view, neighbours=neighbours, beside=folder, title=inputs.settings.title)
        _write_text(folder / f"{view.photo.key}.html", text)
    _write_json(folder / "summary.json", photographs.summary(views))
    lists = [views[first : first + IMAGES_PER_INDEX] for first in range(0, len(views), IMAGES_PER_INDEX)] or [[]]
    for number, listed in enumerate(lists, 1):
        counts = {"shown": len(views), "all": len(inputs.photographs), "lists": len(lists)}
        text = pages.photographs(listed, number, counts, inputs.left_out, title=inputs.settings.title)
        _write_text(folder / pages.index_name(number), text)


def _seen(folders: Iterable[Path]) -> set[str]:
    """Keys of the photographs that units' panels show, from the folders of layers."""
    lists = (Path(folder) / SEEN for folder in folders)
    return {key for path in lists if path.exists() for key in path.read_text(encoding="utf-8").splitlines()}


def class_pages(inputs: classes.ClassInputs, folder: Path) -> None:
    """Write the pages of the classes with pictures, and the list of them."""
    folder = _emptied(folder)
    found, title = classes.views(inputs, folder), inputs.settings.title
    for number, view in enumerate(found):
        neighbours = (found[number - 1] if number else None, found[number + 1] if number + 1 < len(found) else None)
        beside = folder / view.model.key
        _write_text(beside / f"{view.number}.html", pages.a_class(view, neighbours, beside=beside, title=title))
    _write_json(folder / "summary.json", classes.summary(found))
    _write_text(folder / "index.html", pages.classes(found, title=title))


def front_page(inputs: FrontInputs, folder: Path) -> None:
    """Write what a reader opens first, the page about the atlas, the manifest for scripts and the assets."""
    folder = Path(folder)
    summaries = [
        summary | {"folder": Path(path).name} for path in inputs.models if (summary := _read_json(path)) is not None
    ]
    orphans.remove(folder, {each["folder"]: {layer["folder"] for layer in each["layers"]} for each in summaries})
    made = _emptied(folder / "assets")
    for name, text in assets.minified().items():
        _write_text(made / name, text)
    _write_text(folder / ".nojekyll", "")  # GitHub Pages would hide folders that begin with _
    _write_json(folder / "manifest.json", _manifest(inputs, summaries), indent=1)
    made_classes = classes.read_summary(inputs.classes)
    _write_text(folder / "index.html", pages.front(summaries, inputs, made_classes))
    _write_text(folder / "search.js", pages.script(search.index(summaries, inputs, made_classes)))
    _write_text(folder / "compare.html", pages.compare(title=inputs.settings.title))
    _write_text(folder / "about.html", pages.about(summaries, inputs, title=inputs.settings.title))


def _manifest(inputs: FrontInputs, summaries: list[dict]) -> dict:
    """The whole atlas for scripts: what there is, where it lies and how sheets are cut."""
    paged = set(inputs.settings.images)
    images_listed = [
        {
            "key": photo.key,
            "id": photo.id,
            "label": photo.label,
            "group": photo.group,
            "credit": photo.credit,
            "page": f"images/{quote(photo.key)}.html" if photo.id in paged else None,
        }
        for photo in inputs.photographs
    ]
    return {
        "format": "konvolut-atlas/1",
        "konvolut": VERSION,
        "unit_url": "{model}/{layer}.html#u{channel}",
        "models": summaries,
        "classes": classes.read_summary(inputs.classes),
        "images": images_listed,
    }


def _emptied(folder: Path) -> Path:
    """The folder without what an earlier run left in it."""
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _read_json(folder: Path) -> dict | None:
    path = Path(folder) / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _write_json(path: Path, content: dict, indent: int | None = None) -> None:
    _write_text(path, json.dumps(content, indent=indent, sort_keys=True, allow_nan=False) + "\n")


def _csv(rows: Iterable[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_text(path: Path, text: str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))
