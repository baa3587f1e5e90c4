"""The page of comparisons, stars and notes, and what comes before a picture, in Chromium."""

import json

import pytest

from browser import missing_pictures, state

PAIR = "compare.html#lite0/conv_stem/1,untrained/conv_stem/1"
LAYERS = "compare.html#lite0/conv_stem,untrained/conv_stem"
UNIT = "lite0/conv_stem.html#u1"
CITATION = "tf_efficientnet_lite0.in1k@abababababab/conv_stem/1"


def columns(page) -> list[str]:
    page.wait_for_selector("article.column")
    return page.eval_on_selector_all("article.column h2", "all => all.map(one => one.textContent)")


def test_units_of_two_models_stand_side_by_side_row_by_row(visit):
    page = visit(PAIR)
    assert columns(page) == ["conv_stem:1", "conv_stem:1"]
    assert page.eval_on_selector_all(".column header .facts", "all => all.map(one => one.textContent)") == [
        "lite0",
        "untrained",
    ]
    tops = page.eval_on_selector_all(
        "article.column",
        "all => all.map(one => [...one.children].map(row => Math.round(row.getBoundingClientRect().top)))",
    )
    assert tops[0] == tops[1]
    assert len(tops[0]) >= 6
    assert missing_pictures(page) == []


def test_whole_models_stand_side_by_side_with_a_row_per_layer(visit):
    page = visit("compare.html")
    page.click("text=all layers in lite0 and untrained")
    assert columns(page) == ["lite0", "untrained"]
    assert state(page) == "#lite0,untrained"
    names = page.eval_on_selector_all("article.column", "all => all.map(one => one.innerText.split('\\n'))")
    assert "blocks.1.0" in names[0]
    assert "no such layer" in names[1]
    tops = page.eval_on_selector_all(
        "article.column", "all => all.map(one => [...one.children].map(row => row.getBoundingClientRect().top))"
    )
    assert tops[0] == tops[1]
    assert missing_pictures(page) == []
    ends = page.eval_on_selector_all("article.column", "all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert ends == [0, 0], "a strip ends with its column"
    page.click("[aria-label='Take untrained away']")
    assert state(page) == "#lite0"
    page.select_option("#model", "untrained")
    page.select_option("#layer", "")
    page.click("button:text-is('Add')")
    assert columns(page) == ["lite0", "untrained"]


def test_the_numbers_are_those_of_each_unit(visit):
    page = visit(PAIR)
    columns(page)
    shown = page.eval_on_selector_all(".column .numbers", "all => all.map(one => one.textContent)")
    facts = page.evaluate(
        """() => ["lite0", "untrained"].map((model) => {
          const key = Object.keys(Konvolut.received).find((url) => url.endsWith(`/${model}/conv_stem/columns.js`));
          return Konvolut.received[key].natural.max[1];
        })"""
    )
    assert facts[0] != facts[1]
    for text, most in zip(shown, facts, strict=True):
        assert f"maximum{most:.3g}" in text


def test_units_are_added_and_taken_away_and_back_undoes_it(visit):
    page = visit("compare.html")
    page.wait_for_selector(".empty")
    page.select_option("#layer", "blocks.1.0")
    page.fill("#number", "7")
    page.click("button:text-is('Add')")
    assert columns(page) == ["blocks.1.0:7"]
    assert state(page) == "#lite0/blocks.1.0/7"
    page.fill("#number", "8")
    page.click("button:text-is('Add')")
    page.wait_for_selector("article.column >> nth=1")
    page.click("[aria-label='Take lite0 blocks.1.0:7 away']")
    page.wait_for_selector("article.column >> nth=1", state="detached")
    assert state(page) == "#lite0/blocks.1.0/8"
    page.go_back()
    page.wait_for_selector("article.column >> nth=1")
    assert columns(page) == ["blocks.1.0:7", "blocks.1.0:8"]


def test_a_number_beyond_the_layer_is_refused_in_words(visit):
    page = visit("compare.html")
    page.wait_for_selector(".empty")
    page.fill("#number", "32")
    page.click("button:text-is('Add')")
    assert "no such unit" in page.inner_text("#said")


def test_layers_show_the_same_units_marked_together_and_a_click_compares_them(visit):
    page = visit(LAYERS)
    assert columns(page) == ["conv_stem", "conv_stem"]
    page.hover("article >> nth=0 >> [data-unit='3']")
    assert page.locator(".pointed").count() == 2
    page.click("article >> nth=0 >> [data-unit='3']")
    page.wait_for_selector("#units article >> nth=1")
    assert state(page) == "#lite0/conv_stem,untrained/conv_stem,lite0/conv_stem/3,untrained/conv_stem/3"


def test_plates_turn_and_the_technique_changes_with_the_address(visit):
    page = visit("compare.html#lite0/blocks.1.0")
    columns(page)
    assert page.locator(".tile").count() == 64
    page.click("[aria-label='Next plate']")
    page.wait_for_selector("[data-unit='64']")
    assert page.locator(".tile").count() == 16
    assert state(page) == "#lite0/blocks.1.0&p=1"
    page.select_option("#technique", "examples")
    page.wait_for_function("() => document.querySelector('.tile img').src.includes('examples-')")
    again = visit("compare.html" + state(page))
    again.wait_for_selector("[data-unit='64']")
    assert "examples-1" in again.get_attribute(".tile img", "src")


@pytest.mark.parametrize(
    "address",
    [
        "../../etc/passwd",
        "lite0/..%2F..%2Fsecret/1",
        "__proto__/constructor/1",
        "lite0/conv_stem/-1",
        "%E0%A4%A",
        "//evil/x/1",
    ],
)
def test_an_address_never_leads_out_of_the_atlas(visit, atlas, address):
    page = visit("compare.html")
    page.wait_for_selector(".empty")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("about:blank")
    page.goto(f"{atlas.as_uri()}/compare.html#{address}")
    page.wait_for_selector(".empty")
    assert all(url.startswith((atlas.as_uri(), "about:")) for url in asked)
    assert page.locator("article").count() == 0


def test_c_in_the_panel_adds_the_unit_to_what_was_compared_last(visit):
    page = visit("compare.html#untrained/conv_stem/2")
    columns(page)
    page.goto(page.url.split("compare.html")[0] + "lite0/blocks.1.0.html#u5")
    page.wait_for_selector("#panel .shots")
    page.keyboard.press("c")
    page.wait_for_url("**/compare.html#untrained/conv_stem/2,lite0/blocks.1.0/5")
    page.wait_for_selector("article.column >> nth=1")
    assert columns(page) == ["conv_stem:2", "blocks.1.0:5"]


def test_stars_and_notes_are_kept_found_by_the_filter_and_exported(visit):
    page = visit(UNIT)
    page.keyboard.press("s")
    assert page.get_attribute("[aria-label='Star (s)']", "aria-pressed") == "true"
    page.fill("#panel textarea", "looks like <b>fur</b>")
    page.reload()
    page.wait_for_selector("#panel textarea")
    assert page.input_value("#panel textarea") == "looks like <b>fur</b>"
    page.fill("#filter", "starred")
    assert page.eval_on_selector_all("#grid a", "all => all.map(one => one.id)") == ["u1"]
    page.goto(page.url.split("lite0/")[0] + "compare.html")
    page.wait_for_selector("#kept li")
    assert "looks like <b>fur</b>" in page.inner_text("#kept")
    with page.expect_download() as download:
        page.click("text=export as JSON")
    notes = json.loads(download.value.path().read_text())["notes"]
    assert notes == {CITATION: {"star": True, "note": "looks like <b>fur</b>", "page": "lite0/conv_stem.html#u1"}}


def test_a_citation_names_model_weights_layer_and_channel(visit):
    page = visit(UNIT)
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText: (text) => { window.copied = text; } } })"
    )
    page.click("text=copy citation")
    assert page.evaluate("window.copied") == CITATION


def test_r_shows_the_photograph_before_a_dream_and_the_untrained_twin_of_a_feature(visit):
    page = visit("lite0/conv_stem.html#u1&t=dreams-skimage-chelsea")
    page.keyboard.press("r")
    page.wait_for_selector("#panel .first img[src*='skimage-chelsea.webp']")
    assert state(page) == "#u1&t=dreams-skimage-chelsea&b=1"
    assert "Before the dream" in page.inner_text("#panel .first")
    page.keyboard.press("r")
    page.wait_for_selector("#panel .first img[src*='large-dreams']")
    page.keyboard.press("1")
    page.keyboard.press("r")
    page.wait_for_selector("#panel .first img[src*='untrained/conv_stem/large-channels']")
    page.goto(page.url.split("#")[0] + "#u15&b=1")
    page.reload()
    page.wait_for_selector("#panel :text('no untrained twin')")


def test_only_a_feature_is_shown_as_the_untrained_twin_of_a_feature(visit):
    page = visit(UNIT)
    page.evaluate(
        """async () => {
          const { models } = await Konvolut.load("../search.js");
          models.find(({ id }) => id === "untrained").layers[0].series.technique = "examples";
        }"""
    )
    page.keyboard.press("r")
    page.wait_for_selector("#panel :text('no untrained twin')")


def test_boxes_only_leaves_the_crops_and_the_address_says_so(visit):
    page = visit("lite0/conv_stem.html#u3")
    page.wait_for_function("() => document.querySelectorAll('#panel .shot .cut').length === 6")
    assert page.locator("#panel .whole:visible").count() == 6
    page.click("text=boxes only")
    assert state(page) == "#u3&x=1"
    page.wait_for_function("() => document.querySelectorAll('#panel .boxes .shot .cut').length === 6")
    assert page.locator("#panel .whole:visible").count() == 0
    sides = page.eval_on_selector_all(
        "#panel .boxes .shot .cut", "all => all.map(one => [one.clientWidth, one.clientHeight])"
    )
    assert all(abs(width - height) <= 1 for width, height in sides), "a crop is a square: else it would be stretched"
