"""The numbers of a large atlas in Chromium: first paint, readiness, bytes, files, scrolling, memory, time to make it.

    .venv/bin/python benchmarks/atlas.py [--units 26560] [--keep FOLDER] [--repeats 5]

Makes a synthetic atlas (see synthetic_atlas.py), opens its pages from file:// and over http, each time in a fresh
context, and prints the median and the range beside what is to be reached on a quiet machine. Asserts nothing.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from atlas_in_chromium import Browser
from synthetic_atlas import Wide, remember_sheets, repeat_pictures, write_front, write_photographs

from konvolut.asked.settings import AtlasSettings
from konvolut.atlas import plates, series

WIDEST = "layer4.2.conv3"  # 2,048 channels, the last layer
NARROWEST = "conv1"
MAKINGS = 3  # of the widest layer
LARGE_UP_TO = 30_000  # units; above that the atlas has no large pictures, as a published one of that size would
TECHNIQUES = ("channels-", "examples-", "dreams-")
KINDS = {"channels": "plates", "examples": "examples", "large": "large", "steps": "steps"}  # of sheets, by their prefix
MAKING = (
    ("pages", "pages + data", 0.15),
    ("plates", "plates of channels", 2),
    ("examples", "plates of examples", 2),
    ("large", "large pictures", 12),
    ("steps", "four steps of channels", None),
)
KILO, MEGA = 1e3, 1e6
NETWORK_UNITS = 26_560


class Table(list):
    """Rows (name, what is to be reached or None, values), printed as they are found: median, range and the bar."""

    def __iadd__(self, rows) -> "Table":
        for row in rows:
            self.append(row)
        return self

    def append(self, row: tuple) -> None:
        """Print one row."""
        name, bar, values = row
        middle, low, high = statistics.median(values), min(values), max(values)
        mark = "" if bar is None or middle <= bar else "  above"
        spread = f"{low:.4g} to {high:.4g}" if len(values) > 1 else ""
        print(f"{name:56}{middle:>9.4g}  {spread:<17}{'' if bar is None else bar:>9}{mark}", flush=True)


def seconds(call, *arguments) -> float:
    """CPU seconds of this process for a call."""
    started = time.process_time()
    call(*arguments)
    return time.process_time() - started


def clocked(call, spent: Counter, kind_of):
    """The function `call`, whose CPU seconds count from now on for spent[kind_of(its first argument)]."""

    def measured(first, *arguments):
        started = time.process_time()
        result = call(first, *arguments)
        spent[kind_of(first)] += time.process_time() - started
        return result

    return measured


@contextlib.contextmanager
def clocked_pictures() -> Iterator[Counter]:
    """CPU seconds by kind of picture: scaling, encoding and writing, of examples also reading their photographs."""
    spent = Counter()
    kinds = {
        (plates.SheetWriter, "add"): lambda writer: KINDS[writer.prefix.partition("-")[0]],
        (plates.SheetWriter, "finish"): lambda writer: KINDS[writer.prefix.partition("-")[0]],
        (series, "_example_crops"): lambda _: "examples",
        (plates, "square"): lambda _: "plates",
        (plates, "write_strip"): lambda _: "plates",
    }
    with contextlib.ExitStack() as patches:
        for (owner, name), kind_of in kinds.items():
            patches.enter_context(mock.patch.object(owner, name, clocked(getattr(owner, name), spent, kind_of)))
        yield spent


def measure_making(folder: Path, rows: Table) -> None:
    """CPU seconds per 1,000 units of the widest layer, each kind of file by itself; pictures come from memory."""
    network = Wide(folder, "resnet50", AtlasSettings(), ("channels",))
    network.write_layer(folder / "atlas", NARROWEST)  # templates and tables are read once
    units, runs = network.layers[WIDEST][1] / 1000, []
    for _ in range(MAKINGS):
        with clocked_pictures() as spent:
            whole_s = seconds(network.write_layer, folder / "atlas", WIDEST)
        runs.append(spent | {"pages": whole_s - spent.total()})
    rows += [
        (f"{name}, CPU s per 1,000 units", bar, [spent[kind] / units for spent in runs]) for kind, name, bar in MAKING
    ]


def make(folder: Path, units: int, rows: Table) -> Path:
    """The atlas; what it took and how large it is go into rows."""
    atlas, settings = folder / "atlas", AtlasSettings(large=units <= LARGE_UP_TO)
    count = -(-units // NETWORK_UNITS)
    networks = [Wide(folder / "results", f"resnet50-{number}", settings) for number in range(count)]
    for network in networks:
        for layer in network.layers:
            if not (atlas / network.results.key / f"{layer}.html").exists():  # of a run that was interrupted
                network.write_layer(atlas, layer)
        network.write_model(atlas)
    write_photographs(networks[:1], atlas)
    rows.append(("index of the atlas, CPU s", 2, [seconds(write_front, networks, atlas)]))
    measure_files(atlas, count * NETWORK_UNITS, networks, rows)
    return atlas


def measure_files(atlas: Path, units: int, networks: list[Wide], rows: Table) -> None:
    """Number of files and bytes of each kind per unit."""
    files = [path for path in atlas.rglob("*") if path.is_file() and "images" not in path.parts]

    def kilobytes(chosen) -> float:
        return sum(path.stat().st_size for path in files if chosen(path)) / units / KILO

    thumbnails = [kilobytes(lambda path, name=name: path.name.startswith(name)) for name in TECHNIQUES]
    rows += [
        ("files per network, 3 techniques", 7000, [len(files) / len(networks)]),
        ("thumbnails, KB per unit and technique", 2.6, thumbnails),
        ("large pictures, KB per unit and technique", 16, [kilobytes(lambda path: path.name.startswith("large-")) / 2]),
        ("data, KB per unit", 0.6, [kilobytes(lambda path: path.suffix == ".js" and path.parent.name != "assets")]),
        ("layer page, bytes per unit", 80, [page.stat().st_size / 2048 for page in atlas.glob(f"*/{WIDEST}.html")]),
        ("the whole atlas, MB", None, [sum(path.stat().st_size for path in files) / MEGA]),
    ]


def measure_reading(atlas: Path, repeats: int, rows: Table) -> None:
    """What a reader waits for."""
    layer = f"resnet50-0/{WIDEST}.html"
    with Browser(atlas) as browser:
        paints = {
            "widest layer, file": (f"{browser.file}/{layer}", 400),
            "widest layer, http": (f"{browser.http}/{layer}", 600),
            "front page, file": (f"{browser.file}/index.html", 400),
            "model page, file": (f"{browser.file}/resnet50-0/index.html", 400),
        }
        for name, (url, bar) in paints.items():
            rows.append((f"first paint of the {name}, ms", bar, [browser.first_paint(url) for _ in range(repeats)]))
        for measure in (browser.load, browser.scroll, browser.unit, browser.deep_link, browser.order):
            rows += gathered([measure(f"{browser.file}/{layer}") for _ in range(repeats)])
        rows += gathered([browser.search(f"{browser.file}/index.html") for _ in range(repeats)])


def gathered(measured: list[dict]) -> list[tuple]:
    """Rows of the table from what each repeat measured: name -> (bar, value)."""
    return [(name, bar, [one[name][1] for one in measured]) for name, (bar, _) in measured[0].items()]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--units", type=int, default=NETWORK_UNITS)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--keep", type=Path, help="make the atlas here, or measure the one that is here")
    given, rows = arguments.parse_args(), Table()
    repeat_pictures()
    print(f"{'':56}{'median':>9}  {'range':<17}{'to reach':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.keep or Path(scratch)).resolve()
        atlas = folder / "atlas"
        if not (atlas / "index.html").exists():
            measure_making(Path(scratch) / "making", rows)
            remember_sheets()
            atlas = make(folder, given.units, rows)
        measure_reading(atlas, given.repeats, rows)


if __name__ == "__main__":
    main()
