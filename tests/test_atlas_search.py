"""The search of the front page and the orders of a layer, against definitions written out here."""

import itertools

import numpy as np
import pytest

from browser import state, tiles
from konvolut.atlas import likeness

LAYER = "lite0/blocks.1.0.html"


def hits(page, kind: str) -> list[str]:
    page.wait_for_selector("#found section, #found .missing")
    return page.eval_on_selector_all(
        f"#found section:has(h2:text-is('{kind}'), h2:has-text('{kind}')) a",
        "all => all.map(one => one.querySelector('.name').textContent)",
    )


def test_slash_searches_and_typing_finds_layers_of_every_model(visit):
    page = visit("index.html")
    page.keyboard.press("/")
    page.keyboard.type("stem")
    assert hits(page, "Layers") == ["lite0 conv_stem", "untrained conv_stem"]
    assert page.is_hidden("#contents")
    assert state(page) == "#q=stem"
    page.keyboard.press("Escape")
    assert page.is_visible("#contents")
    assert state(page) == ""


@pytest.mark.parametrize(
    ("query", "units"),
    [
        ("untrained 3", ["untrained conv_stem:3"]),
        ("stem:3", ["lite0 conv_stem:3", "untrained conv_stem:3"]),
        ("319", ["lite0 blocks.6.0:319"]),
    ],
)
def test_a_number_finds_units_that_have_a_picture(visit, query, units):
    page = visit(f"index.html#q={query}")
    assert hits(page, "Units") == units


def test_a_unit_without_a_picture_is_found_by_its_photograph(visit):
    page = visit("index.html#q=blocks.6.0:77")
    assert hits(page, "Units") == ["lite0 blocks.6.0:77"]
    cell = page.locator("#found .pictured .cell")
    assert cell.locator("img").get_attribute("src") == "lite0/blocks.6.0/examples-1.webp"
    assert cell.evaluate("one => [one.style.getPropertyValue('--x'), one.style.getPropertyValue('--y')]") == ["5", "1"]
    page.click("#found .pictured a")
    page.wait_for_url("**/lite0/blocks.6.0.html#u77")


def test_hits_beyond_the_first_twelve_come_when_asked_for(visit):
    page = visit("index.html#q=coffee")
    assert len(hits(page, "Units")) == 12
    more = page.locator("#found button")
    count = int(more.inner_text().removeprefix("show all "))
    assert page.inner_text("#found section:last-child small") == f"12 of {count}"
    more.click()
    shown = hits(page, "Units")
    assert len(shown) == len(set(shown)) == count > 12
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == shown[12]
    assert page.inner_text("#found section:last-child small") == str(count)
    assert page.locator("#found button").count() == 0
    tops = page.evaluate(
        """() => {
          const { models, photographs } = Konvolut.received.search;
          const coffee = photographs.findIndex(([, name]) => name === "coffee");
          const tops = models.flatMap(({ layers }) => layers).flatMap(({ top }) => top);
          return tops.filter((one) => one === coffee).length;
        }"""
    )
    assert count == tops, "with those that have no picture"


def test_enter_opens_the_first_hit(visit):
    page = visit("index.html")
    page.fill("#search", "blocks.6.0:100")
    page.wait_for_selector("#found a")
    page.press("#search", "Enter")
    page.wait_for_url("**/lite0/blocks.6.0.html#u100")
    page.wait_for_selector("#panel .shots")


def test_a_photograph_finds_itself_and_the_units_that_it_excites_most(visit):
    page = visit("index.html#q=coffee")
    assert hits(page, "Photographs") == ["coffee"]
    found = page.eval_on_selector_all("#found section:last-child .facts", "all => all.map(one => one.textContent)")
    assert found
    assert set(found) == {"best: coffee"}


def test_a_word_finds_the_pages_of_classes(visit):
    page = visit("index.html#q=shuttle")
    assert hits(page, "Classes") == ["space shuttle", "space shuttle"]
    pages = page.eval_on_selector_all("#found a[href^='classes/']", "all => all.map(one => one.getAttribute('href'))")
    assert pages == ["classes/lite0/1.html", "classes/untrained/1.html"]


def test_a_name_that_is_markup_is_found_as_text(visit):
    page = visit("index.html#q=alert(")
    assert hits(page, "Photographs") == ["<script>alert('astronaut')</script>"]


def test_nothing_found_is_said(visit):
    page = visit("index.html#q=no%20such%20thing")
    page.wait_for_selector("#found .missing")


def test_slash_on_another_page_leads_to_the_search(visit):
    page = visit("about.html")
    page.keyboard.press("/")
    page.wait_for_url("**/index.html#q=")
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_search_loads_its_data_only_when_somebody_searches(visit):
    page = visit("index.html")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("Konvolut.received.search === undefined")
    page.focus("#search")
    page.wait_for_function("() => Konvolut.received.search")


@pytest.mark.parametrize("sort", ["selectivity", "similar"])
def test_units_are_sorted_by(visit, sort):
    page = visit(f"{LAYER}#s={sort}")
    page.wait_for_selector("#grid.flat")
    if sort == "similar":
        ranks = page.evaluate("Konvolut.received.columns.similar")
        assert tiles(page) == [f"u{unit}" for unit in np.argsort(ranks)]
    else:
        values = page.evaluate("Konvolut.received.columns.natural.selectivity")
        assert tiles(page) == [f"u{unit}" for unit in sorted(range(80), key=lambda unit: (-values[unit], unit))]


def test_correlations_are_pearsons_and_zero_with_a_constant():
    profiles = np.random.default_rng(0).gamma(2, 1, (7, 5))
    profiles[:, 3] = 2
    found = likeness.correlations(profiles)
    for a, b in itertools.product(range(5), repeat=2):
        expected = 0 if 3 in (a, b) else np.corrcoef(profiles[:, a], profiles[:, b])[0, 1]
        assert found[a, b] == pytest.approx(expected, abs=1e-5)


def test_families_of_units_lie_together_in_the_chain():
    rng = np.random.default_rng(1)
    families = rng.permutation(np.repeat(np.arange(6), 10))
    profiles = rng.normal(0, 1, (40, 6))[:, families] + rng.normal(0, 0.1, (40, 60))
    order = likeness.chain(likeness.correlations(profiles))
    assert sorted(order) == list(range(60))
    assert len(list(itertools.groupby(families[order]))) == 6
