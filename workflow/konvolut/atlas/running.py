"""The atlas of a sweep that has not ended: pages of what is there, with words where something is yet to be rendered.

It is built beside the one that readers have open and takes its place by renaming. A layer whose results have not
changed is taken over from there; the others are made side by side, a process each.
"""

import hashlib
import os
import shlex
import shutil
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.selection import parse_channels
from konvolut.asked.shards import AtlasShard
from konvolut.atlas import write
from konvolut.atlas.inputs import (
    OF_LAYERS,
    OF_MODELS,
    OF_PHOTOGRAPHS,
    ClassInputs,
    FrontInputs,
    ImageInputs,
    LayerInputs,
    ModelInputs,
    class_model,
    image_model,
    layer_inputs,
)
from konvolut.provenance import code_digest

STAMP = "made-from.txt"
ONCE = ("examples", *OF_MODELS)


@dataclass(frozen=True)
class Sources:
    """The rows of the plan and the patterns of the files of each technique and of those that a model has once.

    `again` is the pattern of the command that makes one unit's picture again.
    """

    plan: pd.DataFrame
    patterns: dict[str, str]
    again: str

    def there(self, technique: str, model: str, layer: str = "") -> tuple[Path, ...]:
        """The files of a technique that are finished, of one layer where it has files of layers."""
        rows = self.plan[(self.plan["technique"] == technique) & (self.plan["model"] == model)]
        rows = rows[rows["layer"] == layer] if layer else rows
        paths = [Path(self.patterns[technique].format(**row)) for row in rows.to_dict("records")]
        return tuple(path for path in dict.fromkeys(paths) if path.exists())

    def own(self, name: str, model: str) -> Path | None:
        """A file that a model has once, or None."""
        path = Path(self.patterns[name].format(model=model))
        return path if path.exists() else None

    def planned(self, model: str, layer: str) -> tuple[int, ...]:
        """The channels that get pictures from noise."""
        rows = self.plan.query("technique == 'channels' and model == @model and layer == @layer")
        return tuple(sorted({channel for text in rows["channels"] for channel in parse_channels(text)}))

    def layers(self) -> dict[str, list[str]]:
        """The layers of each model that will have a page."""
        rows = self.plan[self.plan["technique"] == "atlas"]
        return {model: list(part["layer"]) for model, part in rows.groupby("model", sort=False)}


def build(sources: Sources, shard: AtlasShard, atlas: Path, processes: int) -> str:
    """Make the atlas of what is there in the place of the last one; the sentence that says how far the sweep is."""
    new = atlas.with_name(f"{atlas.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    models = {key: names for key, names in sources.layers().items() if sources.own("identity", key)}
    jobs = [(_layer_inputs(sources, shard, key, name), new / key / name) for key in models for name in models[key]]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_make_layer, *zip(*jobs, strict=True), [atlas] * len(jobs)) if jobs else [])
    for key, names in models.items():
        facts, layers = _facts(sources, key), tuple((name, new / key / name) for name in names)
        write.model_page(ModelInputs(*facts, layers, shard.settings, running=True), new / key / "index.html")
    classes, files = new / "classes", {key: _files(sources, key, new, names) for key, names in models.items()}
    images = [image_model(*_facts(sources, key), sources.own("examples", key), own) for key, own in files.items()]
    pictured = [class_model(*_facts(sources, key), own) for key, own in files.items()]
    write.class_pages(ClassInputs(tuple(pictured), shard.photographs, shard.settings), classes)
    write.image_pages(ImageInputs(shard.photographs, tuple(images), shard.settings, classes), new / "images")
    sentence, folders = _progress(sources), tuple(new / key for key in models)
    told = FrontInputs(folders, shard.photographs, shard.settings, (sentence,), classes, new / "images", sentence)
    write.front_page(told, new)
    _take_place(new, atlas)
    return sentence


def _facts(sources: Sources, key: str) -> tuple[Path, Path]:
    return sources.own("identity", key), sources.own("layers", key)


def _layer_inputs(sources: Sources, shard: AtlasShard, key: str, layer: str) -> LayerInputs:
    files = {name: sources.own(name, key) for name in ("identity", "layers", "examples")}
    files |= {name: sources.there(name, key, layer) for name in OF_LAYERS}
    files |= {name: filter(None, [sources.own(name, key)]) for name in OF_MODELS}
    files["activations"] = sources.there("activations", key)
    again = sources.again.format(model=shlex.quote(key), layer=shlex.quote(layer), channel="{channel}")
    return layer_inputs(shard, key, layer, files, again=again, planned=sources.planned(key, layer))


def _files(sources: Sources, key: str, atlas: Path, layers: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    """What there is of a model beside the files of its layers."""
    found = {name: sources.there(name, key) for name in (*OF_PHOTOGRAPHS, "inversion", "classes")}
    return found | {"folders": tuple(atlas / key / name for name in layers)}


def _make_layer(inputs: LayerInputs, folder: Path, last: Path) -> None:
    """One layer's page: linked from the last atlas where it was made from the same files."""
    stamp, before = _stamp(inputs), last / folder.parent.name / folder.name
    if (before / STAMP).exists() and (before / STAMP).read_text(encoding="utf-8") == stamp:
        shutil.copytree(before, folder, copy_function=os.link)
        os.link(before.with_name(f"{before.name}.html"), folder.with_name(f"{folder.name}.html"))
        return
    write.layer_pages(inputs, folder.with_name(f"{folder.name}.html"), folder)
    (folder / STAMP).write_text(stamp, encoding="utf-8")


def _stamp(inputs: LayerInputs) -> str:
    """What a layer was made from: the code, its settings, and names, sizes and times of its files."""
    files = [inputs.model_json, inputs.census_csv, *inputs.activations, *(getattr(inputs, name) for name in ONCE)]
    files += [path for name in OF_LAYERS for path in getattr(inputs, name)]
    facts = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files if path is not None]
    return hashlib.sha256(repr((inputs, facts, code_digest("atlas.write"))).encode()).hexdigest()


def _progress(sources: Sources) -> str:
    rows = sources.plan[sources.plan["technique"].isin([*FROM_NOISE, "dreams"])]
    there = [Path(sources.patterns[row["technique"]].format(**row)).exists() for row in rows.to_dict("records")]
    done, all_units = int(rows["units"][there].sum()), int(rows["units"].sum())
    return f"The sweep is running: {done:,} of {all_units:,} pictures of units are there."


def _take_place(new: Path, atlas: Path) -> None:
    """Two renames: whoever reads sees the old atlas or the new one, never half of either."""
    old = atlas.with_name(f"{atlas.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if atlas.exists():
        atlas.rename(old)
    new.rename(atlas)
    shutil.rmtree(old, ignore_errors=True)
