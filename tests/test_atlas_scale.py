"""A layer of 2,048 units in Chromium: what is not on the screen is neither made nor loaded."""

import re

import pytest

from browser import shift, state, tiles
from synthetic_results import Results, photographs, write_atlas

COUNT = 2048
LAYER = "net/wide.html"


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """An atlas of one wide layer."""
    folder = tmp_path_factory.mktemp("wide")
    result = Results(folder / "results", "net", {"wide": ("1", COUNT, [])}, photographs(("coffee", "camera", "rocket")))
    return write_atlas([result], folder / "atlas").parent


@pytest.fixture
def sorted_page(visit):
    page = visit(f"{LAYER}#s=max")
    page.wait_for_selector("#grid.flat")
    return page


def by_maximum(page) -> list[str]:
    natural = page.evaluate("Konvolut.received.columns.natural.max")
    return [f"u{unit}" for unit in sorted(range(COUNT), key=lambda unit: (-natural[unit], unit))]


def test_a_page_in_its_own_order_loads_the_sheets_near_the_screen_only(visit):
    page = visit(LAYER)
    page.wait_for_load_state("networkidle")
    loaded = page.eval_on_selector_all(
        ".plate img", "all => all.filter(one => one.complete && one.naturalWidth).length"
    )
    assert 0 < loaded < COUNT / 64 / 2


def test_of_sorted_tiles_those_near_the_screen_are_made_and_the_page_is_as_long_as_all(sorted_page):
    page, order = sorted_page, by_maximum(sorted_page)
    made = tiles(page)
    assert made == order[: len(made)]
    assert len(made) < COUNT / 2
    columns = page.evaluate("getComputedStyle(document.getElementById('grid')).gridTemplateColumns.split(' ').length")
    side = page.locator(f"#{made[0]}").bounding_box()["width"]
    assert page.locator("#grid").bounding_box()["height"] == pytest.approx(-(-COUNT // columns) * side, rel=0.01)


def test_scrolling_makes_the_tiles_that_come_into_sight(sorted_page):
    page, order = sorted_page, by_maximum(sorted_page)
    for share in (0.3, 0.7, 1, 0.1):
        page.evaluate("share => scrollTo(0, document.body.scrollHeight * share)", share)
        page.wait_for_function("() => document.elementFromPoint(300, 300)?.closest('#grid a')")
        seen = page.evaluate("() => document.elementFromPoint(300, 300)?.closest('#grid a')?.id")
        made = tiles(page)
        assert seen in made
        first = order.index(made[0])
        assert made == order[first : first + len(made)]
        place = page.locator(f"#{seen}").bounding_box()
        assert place["y"] <= 300 <= place["y"] + place["height"]


def test_a_unit_far_below_opens_from_its_address_and_steps_go_on_in_the_order(visit):
    page = visit(f"{LAYER}#s=max")
    page.wait_for_selector("#grid.flat")
    order = by_maximum(page)
    far = visit(f"{LAYER}#{order[1500]}&s=max")
    far.wait_for_selector(f"#{order[1500]}.chosen")
    far.wait_for_function(
        "id => { const y = document.getElementById(id).getBoundingClientRect().y; return y >= 0 && y <= 860; }",
        arg=order[1500],
    )
    far.keyboard.press("j")
    far.wait_for_selector(f"#{order[1501]}.chosen")
    assert state(far) == f"#{order[1501]}&s=max"


def test_arrows_walk_beyond_the_tiles_that_were_made_first(sorted_page):
    page, order = sorted_page, by_maximum(sorted_page)
    page.focus(f"#{order[0]}")
    columns = page.evaluate("getComputedStyle(document.getElementById('grid')).gridTemplateColumns.split(' ').length")
    for _ in range(40):
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(20)
    assert page.evaluate("document.activeElement.id") == order[40 * columns]


def test_printing_takes_every_tile(sorted_page):
    sorted_page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(tiles(sorted_page)) == COUNT


@pytest.mark.parametrize("unit", ["", "#u3", "#u1500"])
def test_opening_a_page_moves_nothing_that_was_painted(visit, unit):
    page = visit(LAYER + unit)
    page.wait_for_selector("#panel .shots" if unit else "#neighbours :text('layer 1 of 1'), #neighbours")
    assert shift(page) <= 0.01


def test_the_picture_of_a_unit_comes_before_its_details_and_the_grid_makes_room_then(visit):
    page = visit(LAYER)
    wide = page.locator("#grid").bounding_box()["width"]
    page.wait_for_function("typeof Panel === 'object'")
    first = page.evaluate(
        """() => { document.getElementById("u9").click();
          return new Promise((done) => Promise.resolve().then(() => {
            const panel = document.getElementById("panel");
            done([panel.hidden, Boolean(panel.querySelector(".first")), Boolean(panel.querySelector(".shots")),
              document.getElementById("grid").clientWidth]); })); }"""
    )
    assert first == [False, True, False, pytest.approx(wide, abs=1)]
    page.wait_for_selector("#panel .shots")
    assert page.locator("#grid").bounding_box()["width"] < wide - 400
    panel = page.locator("#panel").bounding_box()
    assert panel["x"] >= page.locator("#grid").bounding_box()["width"]


def test_the_css_names_no_font_and_no_other_host(atlas):
    for sheet in (atlas / "assets").glob("*.css"):
        assert not re.search(r"@import|@font-face|url\(", sheet.read_text(encoding="utf-8"))
