"""Names that users and libraries give: markup, quotes, slashes, other scripts, 300 characters; text on every page."""

import json
import re

import pytest

from browser import missing_pictures, state
from synthetic_results import Results, photographs, write_atlas

MARKUP = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"
LONG = "long." * 60
LAYERS = {
    "blöcke.1,2": ("<i>1</i>", 4, [0, 1, 2]),
    "a b%20c&d=#e": ("2", 4, [0]),
    LONG[:180]: ("2", 40, list(range(40))),
}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """Two models whose ids are markup and 300 characters, with layers that have every sign a file name may have."""
    folder = tmp_path_factory.mktemp("names")
    results = [Results(folder / "results", key, LAYERS, photographs(("coffee", "camera"))) for key in ("one", "two")]
    for result, name in zip(results, (MARKUP, LONG), strict=True):
        path = result.folder / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"id": name, "weights": MARKUP}))
    return write_atlas(results, folder / "atlas").parent


def encoded(name: str) -> str:
    return re.sub(r"[^\w.-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name, flags=re.ASCII)


UNITS = [f"{key}/{encoded(name)}" for key in ("one", "two") for name in LAYERS]
PATHS = {
    "front": "index.html",
    "search for a model": "index.html#q=onerror",
    "search for a layer": "index.html#q=a%20b",
    "about": "about.html",
    "model": "one/index.html",
    "nothing to compare": "compare.html",
    "layers compared": f"compare.html#{','.join(UNITS)}",
    "units compared": f"compare.html#{','.join(f'{unit}/0' for unit in UNITS)}",
}
PATHS |= {f"layer {number}": f"one/{encoded(name)}.html#u0" for number, name in enumerate(LAYERS)}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_names_stay_text_and_pages_keep_their_width(visit, path):
    page = visit(path)
    page.wait_for_load_state("networkidle")
    assert missing_pictures(page) == []
    assert page.locator("[onerror], main script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_layer_is_compared_whatever_it_is_called(visit):
    page = visit(PATHS["layers compared"])
    page.wait_for_selector("article >> nth=5")
    names = page.eval_on_selector_all("article h2", "all => all.map(one => one.textContent)")
    assert names == [*LAYERS, *LAYERS]


def test_a_hit_of_the_search_leads_to_its_unit(visit):
    page = visit("index.html#q=%2520c%26d:0")
    page.click("#found .path a >> nth=0")
    page.wait_for_selector("#panel .shots")
    assert state(page) == "#u0"
    page.keyboard.press("c")
    page.wait_for_selector("article.column")
    assert page.inner_text("article h2") == "a b%20c&d=#e:0"
