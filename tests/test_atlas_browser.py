"""The atlas in Chromium, from file:// and over http: what a reader sees, clicks and types."""

import functools
import http.server
import re
import threading

import pytest

from browser import missing_pictures, shift, state, tiles

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
# The one rule of WCAG 2.2 AA that axe leaves out unless it is asked for. It shall not fetch the style sheets once more.
ALL_RULES = {"rules": {"target-size": {"enabled": True}}, "preload": False}
CONTRAST = {"runOnly": ["color-contrast"], "preload": False}

PAGES = {
    "front": "index.html",
    "about": "about.html",
    "model": "lite0/index.html",
    "layer": "lite0/blocks.1.0.html",
    "layer of few units": "lite0/conv_stem.html",
    "layer of one unit": "lite0/blocks.2.0.downsample.html#u0",
    "layer without pictures": "lite0/classifier.html",
    "unit": "lite0/blocks.1.0.html#u5",
    "unit without picture": "lite0/blocks.6.0.html#u7",
    "dreams": "lite0/conv_stem.html#u1&t=dreams-skimage-chelsea",
    "maps": "lite0/conv_stem.html#u2&t=maps-skimage-astronaut",
    "accents": "lite0/conv_stem.html#u1&t=accentuation-skimage-astronaut",
    "negative": "lite0/conv_stem.html#u1&t=negative",
    "classes": "classes/index.html",
    "class": "classes/lite0/5.html",
    "kernels": "lite0/conv_stem.html#u3&t=kernels",
    "photographs": "lite0/conv_stem.html#t=examples&s=max",
    "unit in full width": "lite0/conv_stem.html#u3&f=1",
    "search": "index.html#q=coffee",
    "nothing found": "index.html#q=no%20such%20thing",
    "nothing to compare": "compare.html",
    "units compared": "compare.html#lite0/conv_stem/1,untrained/conv_stem/1,lite0/classifier/3",
    "layers compared": "compare.html#lite0/conv_stem,untrained/conv_stem",
    "models compared": "compare.html#lite0,untrained",
    "unit with boxes only": "lite0/conv_stem.html#u1&b=1&x=1",
    "images": "images/index.html",
    "image": "images/skimage-astronaut.html",
}
LAYER = "lite0/blocks.1.0.html"


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_opens_whole_is_accessible_and_fits_a_phone(visit, path):
    page = visit(path, reduced_motion="reduce")
    page.wait_for_load_state("networkidle")
    if "html#" not in path or path.startswith("compare"):  # else the page opens as it is and then as its address says
        assert shift(page) <= 0.01
    assert missing_pictures(page) == []
    for scheme, rules in (("light", ALL_RULES), ("dark", CONTRAST)):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page, options=rules).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_click_opens_a_unit_that_the_address_names_and_back_closes_it(visit):
    page = visit(LAYER)
    page.click("#u9")
    page.wait_for_selector("#panel .shots")
    assert page.inner_text("#panel h2") == "Unit 9"
    assert state(page) == "#u9"
    assert page.locator("#panel .shot").count() == 6
    assert page.locator("#panel .shot .box").count() == 6
    page.go_back()
    page.wait_for_selector("#panel", state="hidden")


def test_the_panel_shows_everything_that_is_known_of_a_unit(visit):
    page = visit("lite0/conv_stem.html#u1")
    text = page.inner_text("#panel")
    for words in ("lite0 conv_stem:1", "Weak", "Steps of the ascent", "Photographs that excite it most", "Dreams"):
        assert words in text
    assert "snakemake results/again/1.h5" in text
    assert "timm.create_model('tf_efficientnet_lite0.in1k')" in text
    assert "layer = model.get_submodule('conv_stem')  # channel 1" in text
    page.click("text=Passport: Feature")
    assert "recipe.name" in page.inner_text("#panel .passport >> nth=0")
    assert page.locator("#panel .steps .cell").count() == 4
    assert page.locator("#panel .pair").count() == 2


def test_the_box_lies_where_the_receptive_field_is_and_the_crop_shows_it(visit):
    page = visit("lite0/conv_stem.html#u3")
    page.wait_for_function("document.querySelectorAll('#panel .shot .cut').length === 6")
    shots = page.evaluate(
        """() => [...document.querySelectorAll(".shot")].map((shot) => {
          const sides = (one) => {
            const at = one.getBoundingClientRect();
            return [at.left, at.top, at.right, at.bottom];
          };
          const share = (inner, outer) =>
            inner.map((side, n) => (side - outer[n % 2]) / (outer[n % 2 + 2] - outer[n % 2]));
          const whole = sides(shot.querySelector(".whole")), cut = shot.querySelector(".cut");
          const image = shot.querySelector(".whole img");
          return { box: share(sides(shot.querySelector(".box")), whole),
                   shown: share(sides(cut), sides(cut.firstChild)),
                   size: [image.naturalWidth, image.naturalHeight],
                   aspect: (whole[2] - whole[0]) / (whole[3] - whole[1]) };
        })"""
    )
    for shot in shots:
        wide, tall = shot["size"]
        assert shot["aspect"] == pytest.approx(wide / tall, rel=0.03)
        left, top, right, bottom = shot["box"]
        assert (right - left, bottom - top) == pytest.approx((0.2, 0.2), abs=0.02)
        first, upper, last, lower = shot["shown"]
        side = max(0.2 * wide, 0.2 * tall)
        assert ((last - first) * wide, (lower - upper) * tall) == pytest.approx((side, side), rel=0.03)
        assert min(first, upper) > -0.01
        assert max(last, lower) < 1.01
        assert first - 0.02 <= left <= right <= last + 0.02
        assert upper - 0.02 <= top <= bottom <= lower + 0.02


@pytest.mark.parametrize(("width", "columns"), [(360, 2), (390, 2), (740, 4), (900, 2)])
def test_on_small_screens_photographs_stand_beside_each_other_and_lie_on_no_other(visit, width, columns):
    page = visit("lite0/conv_stem.html#u3", viewport={"width": width, "height": 844})
    page.wait_for_function("document.querySelectorAll('#panel .shot .cut').length === 6")
    rows, over = page.evaluate(
        """() => {
          const shots = [...document.querySelectorAll("#panel .shot")];
          const right = (one) => one.getBoundingClientRect().right;
          return [shots.filter((shot) => shot.offsetTop === shots[0].offsetTop).length,
                  shots.filter((shot) => right(shot.querySelector(".whole")) > right(shot) + 1).length];
        }"""
    )
    assert (rows, over) == (columns, 0)


def test_the_value_of_a_photograph_covers_nothing_of_it(visit):
    page = visit("lite0/conv_stem.html#u3")
    page.wait_for_selector(".shot .box")
    covered = page.evaluate(
        """() => [...document.querySelectorAll(".shot")].some((shot) =>
          shot.querySelector("figcaption").getBoundingClientRect().top
            < shot.querySelector(".whole").getBoundingClientRect().bottom)"""
    )
    assert not covered


def test_the_panel_shows_photographs_between_and_numbers(visit):
    page = visit("lite0/conv_stem.html#u1")
    page.wait_for_function("document.querySelectorAll('#panel .between .cut img').length > 1")
    text = page.inner_text("#panel")
    for words in ("low, 10 %", "middle, 50 %", "high, 90 %", "selectivity", "median"):
        assert words in text


def test_the_panel_says_of_what_its_shares_of_classes_are_and_what_a_curve_shows(visit):
    page = visit("lite0/conv_stem.html#u1")
    text = page.inner_text("#panel")
    assert "Of its 6 best photographs, as they are labelled: dog 50 %, <i>cat</i> 25 %" in text
    assert "at first" in page.locator("#panel .chart text:has-text('objective')").inner_html()


def test_every_number_of_the_panel_is_explained_on_the_page_about_the_atlas(visit):
    page = visit("lite0/conv_stem.html#u1")
    numbers = page.locator("#panel .numbers dt").all_inner_texts()
    assert len(numbers) == 7
    page.goto(page.url.split("lite0/")[0] + "about.html")
    explained = page.locator("h2:has-text('Numbers of a unit') + dl dt").all_inner_texts()
    assert set(numbers) <= {word for term in explained for word in term.split(", ")}
    assert {"reaches", "keeps", "objective", "health", "correlation"} <= set(explained)


def test_keys_walk_through_the_units_and_escape_returns_the_focus(visit):
    page = visit(LAYER)
    page.focus("#u0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "u9"
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel .shots")
    assert page.evaluate("document.activeElement.textContent") == "Unit 9"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert state(page) == "#u10"
    page.keyboard.press("f")
    assert state(page) == "#u10&f=1"
    page.keyboard.press("Escape")
    assert page.is_hidden("#panel")
    assert page.evaluate("document.activeElement.id") == "u10"


def test_the_focus_on_a_tile_goes_along_with_steps_and_arrows_start_from_the_open_unit(visit):
    page = visit(LAYER)
    page.click("#u9")
    page.wait_for_selector("#panel .shots")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == "u11"
    page.keyboard.press("Enter")
    assert state(page) == "#u11"
    page.focus("#u3")
    page.keyboard.press("ArrowRight")
    assert (state(page), page.evaluate("document.activeElement.id")) == ("#u12", "u12")


def test_steps_from_unit_to_unit_fill_no_history_and_clicks_do(visit):
    page = visit(LAYER)
    page.click("#u9")
    for key in ("j", "ArrowRight", "k", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("history.length") == 2 + 1  # the empty page of a new tab, the layer, unit 9
    unit = state(page)
    assert unit != "#u9"
    page.click("#panel [data-act=after]")
    page.click("#u3")
    page.go_back()
    page.wait_for_function("unit => location.hash === `#u${unit + 1}`", arg=int(unit[2:]))
    page.go_back()
    page.wait_for_function("location.hash === ''")


def test_the_title_names_the_open_unit(visit):
    page = visit(LAYER)
    usual = page.title()
    page.click("#u9")
    assert page.title() == f"Unit 9 · {usual}"
    page.keyboard.press("j")
    assert page.title() == f"Unit 10 · {usual}"
    page.keyboard.press("Escape")
    assert page.title() == usual


def test_a_long_name_of_a_class_has_a_line_of_its_own_below_the_head_of_the_panel(visit):
    page = visit(LAYER, viewport={"width": 390, "height": 844})
    name = "German short-haired pointer, not the one of Deutsch Kurzhaar"
    page.evaluate("name => { Konvolut.received.columns.names[9] = name; }", name)
    page.evaluate("document.getElementById('u9').click()")
    page.wait_for_selector("#panel textarea")
    head, number = (page.locator(f"#panel {part}").bounding_box() for part in (".head", "h2"))
    words = page.locator("#panel .head small")
    assert words.inner_text() == name
    assert words.bounding_box()["width"] == head["width"]
    assert words.bounding_box()["y"] >= number["y"] + number["height"]
    assert head["height"] < 100


def test_arrows_cross_the_gutter_between_plates(visit):
    page = visit(LAYER, viewport={"width": 1400, "height": 860})
    page.focus("#u7")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "u64"


def test_the_grid_is_one_tab_stop(visit):
    page = visit(LAYER)
    assert page.locator("#grid a[tabindex='0']").count() == 1
    assert page.locator("#grid a[tabindex='-1']").count() == 79


def test_techniques_change_by_key_and_by_the_choice_of_a_photograph(visit):
    page = visit("lite0/conv_stem.html")
    page.keyboard.press("2")
    assert state(page) == "#t=dreams-skimage-astronaut"
    assert tiles(page) == ["u0", "u1", "u2", "u3"]
    page.select_option("#start", "dreams-skimage-chelsea")
    assert state(page) == "#t=dreams-skimage-chelsea"
    assert page.get_attribute("#u1", "href") == "#u1&t=dreams-skimage-chelsea", "for a click that opens a new tab"
    page.keyboard.press("3")
    assert state(page) == "#t=accentuation-skimage-astronaut"
    page.keyboard.press("4")
    assert len(tiles(page)) == 32
    page.keyboard.press("1")
    assert len(tiles(page)) == 16
    page.select_option("#sort", "max")
    assert page.get_attribute("#u1", "href") == "#u1"


def test_other_pictures_from_noise_stand_beside_the_feature_and_under_its_technique(visit):
    page = visit("lite0/conv_stem.html#u1")
    page.wait_for_selector("#panel .others")
    assert page.locator("#panel .others figcaption").all_inner_texts()[0].startswith("Negative, reaches")
    assert page.locator("#panel .others button").count() == 3
    page.click("#panel .others button[aria-label*='Diversity 2']")
    assert state(page) == "#u1&t=diversity-noise-2"
    assert page.locator("#techniques [aria-pressed=true]").inner_text() == "Features"
    assert page.locator("#start option").all_inner_texts() == ["whole channel", "Negative", "Diversity", "Diversity 2"]
    assert "Diversity 2, from noise" in page.locator("#panel figcaption").first.inner_text()
    page.select_option("#start", "negative")
    page.wait_for_selector("#panel .first :text('Silences it to')")


def test_sorting_orders_the_tiles_by_their_value(visit):
    page = visit(LAYER)
    page.select_option("#sort", "max")
    natural = page.evaluate("Konvolut.received.columns.natural.max")
    expected = sorted(range(80), key=lambda unit: (-natural[unit], unit))
    assert tiles(page) == [f"u{unit}" for unit in expected]
    assert state(page) == "#s=max"
    assert ": best: " in page.get_attribute("#u7", "aria-label")
    page.select_option("#sort", "index")
    assert tiles(page) == [f"u{unit}" for unit in range(80)]
    assert page.locator(".plate").count() == 2


@pytest.mark.parametrize("unit", [0, 7, 15])
def test_on_a_phone_the_chosen_tile_lies_above_the_panel(visit, unit):
    page = visit(f"lite0/conv_stem.html#u{unit}", viewport={"width": 390, "height": 844})
    visible = """unit => {
      const tile = document.querySelector(`#u${unit}.chosen`)?.getBoundingClientRect();
      return tile && tile.top >= 0 && tile.bottom <= document.getElementById("panel").getBoundingClientRect().top + 1;
    }"""
    page.wait_for_function(visible, arg=unit)
    other = unit - 1 if unit == 15 else unit + 1
    page.click(f"#panel [data-act={'before' if unit == 15 else 'after'}]")
    page.wait_for_selector(f"#panel[data-unit='{other}'] textarea")
    page.wait_for_function(visible, arg=other)


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("unit", ["", "#u1"])
@pytest.mark.parametrize(("width", "least"), [(1240, 160), (900, 140), (390, 112)])
def test_few_units_are_large_but_not_much_larger_than_their_plate_has_pixels(visit, width, least, unit, script):
    page = visit(
        f"lite0/conv_stem.html{unit if script else ''}",
        viewport={"width": width, "height": 860},
        java_script_enabled=script,
    )
    side = page.locator("#u0").bounding_box()["width"]
    assert least <= side <= 1.1 * 168, "a tile that is enlarged more is blurred"


def test_the_list_of_orders_shows_its_words_whole_and_they_are_the_panels(visit):
    page = visit(f"{LAYER}#u5&s=selectivity")
    words = page.locator("#sort option").all_inner_texts()
    assert {"maximum", "mean", "active on", "selectivity"} <= {*words} & {*page.locator("#panel dt").all_inner_texts()}
    widths = page.evaluate(
        """() => {
          const list = document.getElementById("sort").cloneNode(true);
          document.querySelector("main").append(list); // beside the tools, where nothing makes it narrow
          return [list.offsetWidth, document.getElementById("sort").offsetWidth];
        }"""
    )
    assert widths[1] >= widths[0]


def test_health_is_the_verdict_and_then_deviations_above_photographs_also_where_all_maxima_are_negative(visit):
    page = visit(LAYER)
    natural = page.evaluate(
        """() => {
          const { natural } = Konvolut.received.columns;
          for (const name of ["mean", "max"]) natural[name] = natural[name].map((value) => value - 50);
          return natural;
        }"""
    )
    assert max(natural["max"]) < 0
    page.select_option("#sort", "health")
    series = page.evaluate("Konvolut.received.columns.series[0]")
    above = [
        (reached - mean) / deviation
        for reached, mean, deviation in zip(series["activation"], natural["mean"], natural["std"], strict=True)
    ]
    best_first = sorted(range(80), key=lambda unit: ("gwd".index(series["health"][unit]), -above[unit], unit))
    assert {series["health"][unit] for unit in best_first[-2:]} == {"d"}
    assert tiles(page) == [f"u{unit}" for unit in best_first]


def test_health_without_photographs_puts_the_dead_last_and_silencing_pictures_from_the_lowest(visit):
    page = visit(LAYER)
    page.evaluate(
        """() => {
          const { natural, series } = Konvolut.received.columns;
          for (const name of Object.keys(natural)) delete natural[name];
          series[0].health = series[0].health.replaceAll(/[gw]/g, "-");
        }"""
    )
    assert page.evaluate("Grid.sortable('health') && !Grid.sortable('max')")
    page.select_option("#sort", "health")
    series = page.evaluate("Konvolut.received.columns.series[0]")
    dead, reached = [letter == "d" for letter in series["health"]], series["activation"]
    assert sum(dead) == 2
    assert tiles(page) == [f"u{u}" for u in sorted(range(80), key=lambda u: (dead[u], -reached[u], u))]
    page.select_option("#sort", "index")
    page.evaluate("Konvolut.received.columns.series[0].technique = 'negative'")
    page.select_option("#sort", "health")
    assert tiles(page) == [f"u{u}" for u in sorted(range(80), key=lambda u: (dead[u], reached[u], u))]


def test_a_filter_finds_numbers_photographs_and_health(visit):
    page = visit(LAYER)
    page.keyboard.press("/")
    page.keyboard.type("7")
    assert tiles(page) == ["u7", *(f"u{unit}" for unit in range(70, 80))]
    page.fill("#filter", "dead")
    assert tiles(page) == ["u0", "u40"]
    page.fill("#filter", "coffee")
    tops = page.evaluate("Konvolut.received.columns.top.map((one) => Konvolut.received.columns.photographs[one][1])")
    assert set(tiles(page)) == {f"u{unit}" for unit, name in enumerate(tops) if name == "coffee"}
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel .shots")
    page.fill("#filter", "no such thing")
    assert "No unit fits" in page.inner_text("#grid")


def test_a_sorted_tile_shows_the_same_picture_as_its_plate(visit):
    page = visit(LAYER)
    page.select_option("#sort", "activation")
    tile = page.locator("#u70").evaluate(
        "one => (({ backgroundImage, backgroundPosition, backgroundSize }) => "
        "[backgroundImage, backgroundPosition, backgroundSize])(getComputedStyle(one))"
    )
    column, row = (float(share.rstrip("%")) for share in tile[1].split())
    assert "channels-1.webp" in tile[0]
    assert column == pytest.approx(100 * (70 - 64) / (8 - 1), abs=0.01)
    assert row == 0
    assert tile[2] in ("800%", "800% auto")


def test_the_whole_state_survives_in_a_link(visit):
    page = visit("lite0/conv_stem.html#u2&t=dreams-skimage-chelsea&s=activation&q=u&z=80&f=1")
    before = page.inner_html("#panel")
    again = visit("lite0/conv_stem.html" + state(page))
    assert again.inner_html("#panel") == before
    assert again.input_value("#sort") == "activation"


def test_the_pointer_brings_a_larger_picture(visit):
    page = visit(LAYER)
    page.hover("#u12")
    page.wait_for_selector(".preview")
    top = page.evaluate("Konvolut.received.columns.photographs[Konvolut.received.columns.top[12]][1]")
    assert f"best: {top}" in page.inner_text(".preview"), "the photograph is not the meaning of the unit"
    number = page.locator(".preview p span").first
    assert number.inner_text() == "unit 12"
    assert number.bounding_box()["height"] < 30, "the number is not broken"
    page.mouse.move(5, 5)
    page.wait_for_selector(".preview", state="detached")


def test_a_tile_that_moves_under_the_pointer_is_not_pointed_at(visit):
    page = visit(LAYER)
    box = page.locator("#u5").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.wait_for_selector("#panel .shots")
    page.wait_for_timeout(400)
    assert page.locator(".preview").count() == 0
    page.locator("#u2").hover()
    page.wait_for_selector(".preview")


def test_dark_is_remembered_and_help_names_the_keys(visit):
    page = visit("lite0/index.html")
    page.keyboard.press("d")
    page.goto(page.url.replace("index", "conv_stem"))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("?")
    assert "previous layer" in page.inner_text("dialog")
    page.uncheck("dialog input")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")  # the browser tells of the end of a dialog a moment later
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("?")
    assert page.locator("dialog").count() == 0, "single keys are off, this one too"
    page.click("[aria-label='Keyboard help']")
    page.check("dialog input")
    page.keyboard.press("?")  # is on again and closes what it opens
    page.wait_for_selector("dialog", state="detached")


def test_arrows_scroll_the_panel_while_the_focus_is_in_it(visit):
    page = visit(f"{LAYER}#u9")
    page.wait_for_selector("#panel .shots")
    page.focus("#panel h2")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.getElementById('panel').scrollTop > 0")
    assert page.evaluate("document.activeElement.textContent") == "Unit 9"
    assert state(page) == "#u9"


def test_escape_takes_away_what_hovers_before_it_closes_the_unit(visit):
    page = visit(f"{LAYER}#u9")
    page.hover("#u12")
    page.wait_for_selector(".preview")
    page.keyboard.press("Escape")
    assert page.locator(".preview").count() == 0
    assert page.is_visible("#panel")
    page.keyboard.press("Escape")
    assert page.is_hidden("#panel")


@pytest.mark.parametrize(("asked", "shown"), [("1", "40px"), ("96", "96px"), ("1e9", "160px"), ("-3", ""), ("x", "")])
def test_the_size_in_an_address_is_one_that_the_slider_has(visit, asked, shown):
    page = visit(f"{LAYER}#z={asked}")
    page.wait_for_selector("#tools:not([hidden])")
    assert page.evaluate("Grid.element.style.getPropertyValue('--z')") == shown


def test_brackets_go_to_the_next_layer_and_back(visit):
    page = visit("lite0/conv_stem.html")
    page.wait_for_selector("#neighbours a")
    page.keyboard.press("]")
    page.wait_for_url("**/blocks.1.0.html")
    page.wait_for_selector("#neighbours a")
    page.keyboard.press("[")
    page.wait_for_url("**/conv_stem.html")


def test_a_photograph_on_a_phone_has_its_slider_and_two_maps_in_a_row(visit):
    page = visit("images/skimage-astronaut.html", viewport={"width": 390, "height": 844})
    assert page.is_visible("#mix")
    places = [one.bounding_box() for one in page.locator(".looks").first.locator("figure").all()[:3]]
    assert places[0]["y"] == places[1]["y"] < places[2]["y"]


def test_a_layer_that_a_photograph_excites_looks_like_a_link(visit):
    page = visit("images/skimage-astronaut.html")
    line, colour, accent = page.locator(".strongest h3 a").first.evaluate(
        """one => [getComputedStyle(one).textDecorationLine, getComputedStyle(one).color,
          getComputedStyle(document.querySelector(".links a")).color]"""
    )
    assert (line, colour) == ("underline", accent)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_stands_in_an_empty_field_can_be_read(visit, scheme):
    page = visit(LAYER, color_scheme=scheme)
    text, ground = page.locator("#filter").evaluate(
        "one => [getComputedStyle(one, '::placeholder').color, getComputedStyle(one).backgroundColor]"
    )
    high, low = sorted((luminance(text), luminance(ground)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)", as WCAG defines it."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_random_unit_is_one_that_has_a_picture(visit):
    page = visit("index.html")
    page.click("#random")
    page.wait_for_selector("#panel .shots")
    assert page.locator("#panel .first .cell img").count() == 1


def test_strips_of_a_model_change_with_the_series_and_the_address_says_which(visit):
    def shown(page) -> list[str]:
        return page.eval_on_selector_all(".strip img:not([hidden])", "all => all.map(one => one.getAttribute('src'))")

    page = visit("lite0/index.html")
    page.select_option("#series", "examples")
    assert len(shown(page)) == 5
    assert all(source.endswith("strip-examples.webp") for source in shown(page))
    assert state(page) == "#t=examples"
    assert shown(visit("lite0/index.html#t=examples")) == shown(page)
    page.go_back()
    assert not any("examples" in source for source in shown(page) if "classifier" not in source)


@pytest.mark.parametrize(("width", "height"), [(1000, 66), (1460, 80), (2000, 96)])
def test_strips_of_a_model_grow_with_the_screen(visit, width, height):
    page = visit("lite0/index.html", viewport={"width": width, "height": 860})
    assert page.locator(".rail .strip").first.bounding_box()["height"] == height


def test_without_a_script_pictures_and_links_are_there(visit):
    page = visit(LAYER, java_script_enabled=False)
    assert page.locator("#grid a").count() == 80
    assert page.locator("#grid img").count() == 2
    assert page.is_hidden("#tools")
    page.goto(page.url.replace("blocks.1.0", "conv_stem"))
    assert "url" in page.get_attribute("#u3", "style")


@pytest.mark.parametrize(
    ("path", "link", "picture"),
    [
        ("index.html", "lite0/index.html", "strip-channels.webp"),
        ("lite0/index.html", "conv_stem.html", "strip-channels.webp"),
        (LAYER, "#u5", "channels-0.webp"),
        ("images/index.html", "skimage-coffee.html", "skimage-coffee.webp"),
        ("images/skimage-coffee.html", "../lite0/conv_stem.html#u1", "skimage-coffee.webp"),
    ],
    ids=["front", "model", "layer", "photographs", "photograph"],
)
def test_without_a_script_a_reader_sees_pictures_and_goes_on_by_links(visit, path, link, picture):
    page = visit(path, java_script_enabled=False)
    seen = page.locator(f'main img[src*="{picture}"]').first
    seen.scroll_into_view_if_needed()
    assert seen.is_visible()
    assert seen.bounding_box()["width"] >= 24
    to = page.locator(f'main a[href^="{link}"]').first
    to.scroll_into_view_if_needed()
    to.click(force=True)
    assert link.lstrip("./") in page.url


@pytest.fixture(scope="module")
def server(atlas):
    """The address of a static host of the atlas."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(atlas))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{host.server_port}"
        host.shutdown()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_over_http_a_page_says_what_it_says_from_a_file(visit, server, path):
    served, read = visit(path, base=server), visit(path)
    for page in (served, read):
        page.wait_for_load_state("networkidle")
    assert missing_pictures(served) == []
    assert served.inner_text("main") == read.inner_text("main")


@pytest.mark.parametrize("width", [1240, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_what_is_clicked_is_large_enough_or_far_enough_from_the_next(visit, path, width):
    page = visit(path, viewport={"width": width, "height": 860})
    page.wait_for_load_state("networkidle")
    assert page.evaluate(TOO_SMALL) == []


def test_targets_that_are_too_small_are_found(visit):
    page = visit("about.html")
    small = '<button style="min-width:0;min-height:0;width:12px;height:12px;padding:0">x</button>'
    page.evaluate("html => document.querySelector('h1').insertAdjacentHTML('afterend', html)", f"<p>{small}{small}</p>")
    assert len(page.evaluate(TOO_SMALL)) == 2


# WCAG 2.2, 2.5.8: a target measures 24 px each way, or a circle of 24 px about its centre meets no other target and no
# other such circle; links within a sentence and what the browser itself draws are left out.
TOO_SMALL = """() => {
  const SIDE = 24;
  const visible = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const inSentence = (one) => getComputedStyle(one).display === "inline"
    && [...one.parentElement.childNodes].some((other) => other.nodeType === 3 && /\\w/.test(other.data));
  const skipped = (one) => one.matches(".skip, input[type=checkbox], [aria-hidden=true]") || inSentence(one);
  const all = [...document.querySelectorAll("a[href], button, select, input, textarea, summary")].filter(visible);
  const targets = all.filter((one) => !skipped(one)).map((one) => {
    const { left, top, width, height } = one.getBoundingClientRect();
    return { one, left, top, width, height, x: left + width / 2, y: top + height / 2 };
  }).filter(({ width, height }) => width && height);
  const small = ({ width, height }) => width < SIDE - 0.5 || height < SIDE - 0.5;
  const away = (at, low, size) => Math.max(low - at, 0, at - low - size);
  const apart = (a, b) => (small(b) ? Math.hypot(a.x - b.x, a.y - b.y) >= SIDE
    : Math.hypot(away(a.x, b.left, b.width), away(a.y, b.top, b.height)) >= SIDE / 2);
  const meets = (a, b) => !a.one.contains(b.one) && !b.one.contains(a.one) && !apart(a, b);
  return targets.filter((a) => small(a) && targets.some((b) => b !== a && meets(a, b)))
    .map(({ one, width, height }) => `${one.outerHTML.slice(0, 90)} ${Math.round(width)}x${Math.round(height)}`);
}"""


def test_back_undoes_what_was_chosen_one_by_one(visit):
    page = visit("lite0/conv_stem.html")
    page.select_option("#sort", "max")
    page.click("#techniques button >> text=Dreams")
    page.type("#filter", "w")
    page.fill("#filter", "weak")
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel .shots")
    page.locator("#filter").blur()
    page.keyboard.press("f")
    steps = []
    for _ in range(5):
        steps.append(state(page))
        page.go_back()
    opened = steps[1].partition("&")[0]
    assert steps[0].endswith("&f=1")
    assert opened.startswith("#u")
    assert [step.removeprefix(opened).lstrip("#&") for step in steps[1:]] == [
        "t=dreams-skimage-astronaut&s=max&q=weak",
        "t=dreams-skimage-astronaut&s=max&q=weak",
        "t=dreams-skimage-astronaut&s=max",
        "s=max",
    ]
    page.wait_for_function("location.hash === ''")
    assert page.input_value("#sort") == "index"
    assert page.get_attribute("#techniques button >> text=Features", "aria-pressed") == "true"
    page.go_forward()
    page.wait_for_function("document.getElementById('sort').value === 'max'")


def test_paper_is_white_and_its_text_dark_whatever_the_screen_is(visit):
    page = visit("lite0/index.html", color_scheme="dark")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.emulate_media(media="print")
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (ink, paper) == ("rgb(26, 27, 29)", "rgb(255, 255, 255)")


@pytest.mark.parametrize(("asked", "grid"), [("", True), ("&f=1", False)], ids=["beside the grid", "in full width"])
def test_an_open_unit_is_printed_whole_below_the_grid_or_in_full_width_alone(visit, asked, grid):
    page = visit(
        f"{LAYER}#u5{asked}", viewport={"width": 718, "height": 1010}
    )  # A4 at 96 dpi within Chromium's margins
    page.wait_for_selector("#panel .shots")
    page.emulate_media(media="print")
    assert page.is_visible("#grid") == grid
    panel, whole, last, plates = page.evaluate(
        """() => {
          const panel = document.getElementById("panel");
          const sides = (one) => ["top", "bottom"].map((side) => one.getBoundingClientRect()[side] + scrollY);
          const whole = document.documentElement.scrollHeight;
          return [sides(panel), whole, sides(panel.lastElementChild), sides(Grid.element)];
        }"""
    )
    assert panel[1] - panel[0] > 600
    assert panel[0] >= plates[1]
    assert last[1] <= panel[1] + 1, "nothing of the panel is cut off"
    assert panel[1] <= whole
    assert not page.is_visible("#panel button >> nth=0")


def test_where_there_is_nothing_to_show_no_number_stands_in_its_place(visit):
    page = visit(LAYER)
    page.wait_for_selector("#tools:not([hidden])")
    path = "[['stem', 0.5]]"
    words = page.evaluate(f"Evidence.trust({{ trust: {{ twins: [], path: {path} }} }}, []).textContent")
    assert words.startswith("Does the picture tell the truth?Its way")
    page.evaluate(
        """async () => {
          const { series } = await Konvolut.load(`${Grid.element.dataset.folder}/columns.js`, "columns");
          for (const one of series) { one.steps = []; delete one.sheets.steps; }
        }"""
    )
    page.click("#u9")
    ascent = page.locator("#panel section", has_text="Steps of the ascent")
    assert ascent.inner_text().replace("\n", "").startswith("Steps of the ascentobjective")
