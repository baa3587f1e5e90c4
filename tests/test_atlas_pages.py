"""The atlas as files: links, bytes, names, sheets and what is missing."""

import csv
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock
from urllib.parse import unquote

import numpy as np
import pytest

from konvolut.asked.selection import parse_channels
from konvolut.asked.settings import AtlasSettings
from konvolut.atlas import account, assets, model, pages, passports, plates, write
from konvolut.atlas.attributions import map_picture, scaled_for_eyes
from konvolut.atlas.inputs import FrontInputs, ImageInputs, ImageModel, ModelInputs
from konvolut.atlas.photographs import z_scores
from konvolut.atlas.plates import Sheet, SheetWriter
from konvolut.pictures import images
from synthetic_results import Results, atlas_settings, photographs, small_atlas, write_atlas

KILOBYTE = 1024
RULES = Path(__file__).parents[1] / "workflow" / "rules"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return small_atlas(tmp_path_factory.getbasetemp())[0]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return small_atlas(tmp_path_factory.getbasetemp())[1]


class Links(HTMLParser):
    """The files and anchors that a page points to, and the ids that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets, self.ids, self.tags = [], set(), []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids.add(found.get("id"))
        self.targets += [found[name] for name in ("href", "src", "data-src") if found.get(name)]


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(path: Path) -> dict:
    """What a data script hands to ATLAS."""
    return json.loads(path.read_text(encoding="utf-8").strip().removeprefix("ATLAS(").removesuffix(")"))


def test_every_link_and_picture_leads_to_a_file_and_every_unit_to_its_place(atlas):
    found = {page: Links(page) for page in atlas.rglob("*.html")}
    assert len(found) > 10
    for page, links in found.items():
        for target in links.targets:
            file, _, anchor = target.partition("#")
            path = (page.parent / unquote(file)).resolve() if file else page
            assert path.is_file(), f"{page.name}: {target}"
            assert path.is_relative_to(atlas)
            if anchor and path.suffix == ".html" and anchor.startswith("u"):
                assert anchor.partition("&")[0] in found[path].ids, f"{page.name}: {target}"


def test_the_same_results_give_the_same_bytes(results, atlas, tmp_path):
    write_atlas(results, tmp_path)
    assert digests(tmp_path) == digests(atlas)


def test_a_new_layer_rewrites_its_own_files_and_the_indexes_only(tmp_path):
    photos = photographs(("coffee", "camera"))
    result = Results(tmp_path / "results", "net", {"a": ("1", 8, [0, 1]), "b": ("2", 8, [])}, photos)
    write_atlas([result], tmp_path / "atlas")
    before = digests(tmp_path / "atlas")
    result.files["b"] = result._write_pictures("b", [2, 3])
    write_atlas([result], tmp_path / "atlas")
    after = digests(tmp_path / "atlas")
    changed = {name for name in after if before.get(name) != after[name]}
    own = {name for name in changed if name.startswith(("net/b.html", "net/b/"))}
    pages_of_images = {name for name in changed if name.startswith("images/") and name.endswith(".html")}
    assert own
    indexes = {"index.html", "about.html", "manifest.json", "search.js", "net/index.html", "net/summary.json"}
    assert changed - own - pages_of_images <= indexes


def test_names_that_are_markup_stay_text(atlas):
    for path in atlas.rglob("*"):
        if path.suffix in (".html", ".js"):
            text = path.read_text(encoding="utf-8")
            assert "<script>alert" not in text
            assert "<b>nematode" not in text
    assert "&lt;script&gt;alert" in (atlas / "images" / "index.html").read_text(encoding="utf-8")


def test_a_script_can_hold_the_end_of_a_script():
    assert pages.script({"name": "</script><!--"}) == 'ATLAS({"name":"\\u003c/script\\u003e\\u003c!--"})\n'


def test_no_page_asks_the_network_for_anything(atlas):
    for page in atlas.rglob("*.html"):
        assert not [target for target in Links(page).targets if ":" in target or target.startswith("//")]
        text = page.read_text(encoding="utf-8")
        assert "script-src 'self' file:;" in text
        assert "<script>" not in text


def test_a_layer_without_any_result_is_a_page_that_says_so(results, tmp_path):
    bare = results[0].layer_inputs("classifier", channels=(), dreams=(), activations=(), examples=None)
    write.layer_pages(bare, tmp_path / "classifier.html", tmp_path / "classifier")
    assert "No picture of this layer has been computed" in (tmp_path / "classifier.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "classifier" / "summary.json").read_text())["series"] == []


def test_missing_layers_models_and_photographs_are_named_not_fatal(results, tmp_path):
    facts = (results[0].folder / "model.json", results[0].folder / "layers.csv")
    missing = (("conv_stem", tmp_path / "lite0" / "conv_stem"),)
    write.model_page(ModelInputs(*facts, missing, AtlasSettings()), tmp_path / "lite0" / "index.html")
    write.image_pages(ImageInputs((), (), AtlasSettings()), tmp_path / "images")
    write.front_page(FrontInputs((tmp_path / "lite0", tmp_path / "other"), (), AtlasSettings()), tmp_path)
    assert "not computed" in (tmp_path / "lite0" / "index.html").read_text(encoding="utf-8")
    assert "Not computed: conv_stem" in (tmp_path / "about.html").read_text(encoding="utf-8")


def test_pages_of_what_left_the_atlas_go_and_nothing_else(atlas, results, tmp_path):
    own = shutil.copytree(atlas, tmp_path / "atlas")
    model_key = results[0].key
    kept = {path.relative_to(own) for path in own.rglob("*")}
    for name in (model_key, "gone"):
        page, folder = own / name / "head.1x1.html", own / name / "head.1x1"
        page.parent.mkdir(exist_ok=True)
        shutil.copytree(own / model_key / "conv_stem", folder)
        shutil.copy(own / model_key / "conv_stem.html", page)
    for name in ("index.html", "layers.js", "summary.json"):
        shutil.copy(own / model_key / name, own / "gone")
    mine = [own / "CNAME", own / "mine/index.html", own / model_key / "mine.html", own / "other/notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    models = tuple(own / each.key for each in results)
    write.front_page(FrontInputs(models, results[0].photos, AtlasSettings(), classes=own / "classes"), own)
    there = {path.relative_to(own) for path in own.rglob("*")}
    assert there == kept | {path.relative_to(own) for path in mine} | {Path("mine"), Path("other")}


def test_photographs_without_results_say_what_was_not_computed(results, tmp_path):
    bare = ImageModel(results[0].folder / "model.json", results[0].folder / "layers.csv")
    write.image_pages(
        ImageInputs(results[0].photos[:1], (bare,), atlas_settings(results[0].photos)), tmp_path / "images"
    )
    text = (tmp_path / "images" / "skimage-astronaut.html").read_text(encoding="utf-8")
    for what in ("predictions: not computed", "Saliency of lite0", "Dreams of lite0", "Strongest units of lite0"):
        assert what in text


def test_a_photograph_that_fools_nobody_is_said_to(results, atlas):
    text = (atlas / "images" / f"{results[0].photos[0].key}.html").read_text(encoding="utf-8")
    of_lite0 = text[text.index("<h2>What it can be taken for</h2>") :]
    assert of_lite0.index("changed in 18 steps") < of_lite0.index("not fooled after 20 steps")
    assert of_lite0.count('aria-label="Probability of the class over the steps') == of_lite0.count("What was changed")


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 70])
def test_each_tile_lies_where_the_pages_look_for_it(count, tmp_path):
    sheet = Sheet(columns=8, rows=8, height=16, width=16)
    writer = SheetWriter(tmp_path, "plate", sheet)
    greys = [3 * number + 20 for number in range(count)]
    for grey in greys:
        writer.add(np.full((16, 16, 3), grey, np.uint8))
    writer.finish()
    for slot, grey in enumerate(greys):
        picture = images.read(tmp_path / f"plate-{slot // 64}.webp")
        row, column = slot % 64 // 8, slot % 8
        inside = picture[16 * row + 4 : 16 * row + 12, 16 * column + 4 : 16 * column + 12]
        assert abs(float(inside.mean()) - grey) < 6
    assert len(list(tmp_path.iterdir())) == -(-count // 64)


def test_large_sheets_keep_the_aspect_and_stay_below_a_megapixel_and_a_bit():
    for height, width in [(224, 224), (260, 413), (1000, 30), (64, 64)]:
        sheet = plates.large_sheet(height, width, 224)
        scale = min(1, 224 / max(height, width))
        assert abs(sheet.height - height * scale) <= 0.5
        assert abs(sheet.width - width * scale) <= 0.5
        assert sheet.columns * sheet.rows * sheet.height * sheet.width <= plates.SHEET_PIXELS


@pytest.mark.parametrize(("px", "few"), [(32, 56), (96, 168), (160, 193), (256, 256)])
def test_few_units_have_larger_squares_and_their_plate_is_as_small_as_other_sheets(px, few):
    assert plates.plate_sheet(plates.FEW_UNITS, px).height == few
    assert plates.FEW_UNITS * few**2 <= max(plates.SHEET_PIXELS, plates.FEW_UNITS * px**2)
    assert plates.plate_sheet(plates.FEW_UNITS + 1, px).height == px


def test_the_crop_of_a_photograph_holds_the_receptive_field():
    rng = np.random.default_rng(5)
    for _ in range(50):
        tall, wide = rng.integers(40, 200, 2)
        left, top = rng.uniform(0, 0.9, 2)
        box = np.array([left, top, left + 0.1, top + 0.1])
        photo = np.zeros((tall, wide, 3), np.uint8)
        photo[round(top * tall) : round((top + 0.1) * tall), round(left * wide) : round((left + 0.1) * wide)] = 255
        crop = plates.crop_to_field(photo, box)
        assert crop.shape[0] == crop.shape[1]
        assert (crop > 0).sum() >= 0.7 * (photo > 0).sum()


def test_places_are_spread_from_the_first_to_the_last():
    assert plates.spread(3) == [0, 1, 2]
    assert plates.spread(0) == []
    places = plates.spread(2048)
    assert (len(places), places[0], places[-1]) == (plates.STRIP_COLUMNS, 0, 2047)
    assert np.ptp(np.diff(places)) <= 1


def test_z_scores_are_deviations_from_each_units_own_mean():
    maxima = np.random.default_rng(1).normal(3, 2, (5, 4))
    maxima[:, 2] = 7
    expected = [
        [0 if np.std(unit) == 0 else (value - np.mean(unit)) / np.std(unit) for value in unit] for unit in maxima.T
    ]
    assert np.allclose(z_scores(maxima), np.array(expected).T)


def test_maps_for_eyes_span_black_to_full():
    values = np.random.default_rng(2).gamma(1, 1, (64, 64))
    shown = scaled_for_eyes(values)
    assert (shown.min(), shown.max()) == (0, 1)
    assert scaled_for_eyes(np.full((4, 4), 3.0)).max() == 0


def test_a_refused_method_is_explained_on_the_page(atlas):
    text = (atlas / "images" / "skimage-astronaut.html").read_text(encoding="utf-8")
    assert "Not shown: its activations are &lt;i&gt;SiLU&lt;/i&gt;." in text


def test_the_overlay_of_the_lab_notebook_says_how_it_is_scaled(atlas):
    text = (atlas / "images" / "skimage-coffee.html").read_text(encoding="utf-8")
    assert text.count("gradient over photo, as in the lab notebook: scaled to the maximum") == 2, "one for each model"


def test_maps_with_a_sign_are_shown_around_zero():
    signed = np.random.default_rng(4).normal(0, 1, (8, 8))
    signed[0, 0] = 0
    assert map_picture("occlusion", signed)[0, 0].tolist() == [247, 247, 247]
    assert map_picture("gradient", np.stack([signed] * 3))[0, 0].tolist() == [128, 128, 128]
    assert map_picture("gradient", np.zeros((3, 4, 4))).std() == 0


def test_details_and_table_agree_with_the_stored_results(results, atlas):
    details = told(atlas / "lite0" / "blocks.1.0" / "details-0.js")
    columns = told(atlas / "lite0" / "blocks.1.0" / "columns.js")
    evidence = model.read_examples(results[0].folder / "examples.h5", "blocks.1.0")
    keys, found = evidence.image, evidence.layers["blocks.1.0"]
    with (atlas / "lite0" / "blocks.1.0" / "units.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["channel"]: row for row in csv.DictReader(file) if row["series"] == "channels"}
    for channel in range(80):
        numbers, values, _ = details["of"]["examples"][channel]
        best = [details["photographs"][number][0] for number in numbers]
        assert best == [keys[row] for row in found.image[channel]]
        assert values == pytest.approx(found.value[channel], rel=0.01)
        assert columns["natural"]["max"][channel] == pytest.approx(found.max[channel], rel=0.01)
        assert columns["photographs"][columns["top"][channel]][0] == best[0]
        assert float(rows[str(channel)]["natural_max"]) == pytest.approx(found.max[channel], rel=0.01)
    assert columns["series"][0]["health"].startswith("dw")
    assert parse_channels(columns["series"][0]["units"]) == tuple(range(80))


def test_the_snippet_builds_the_model_with_its_options_and_names_other_weights():
    options = {"in_chans": 1, "scriptable": True, "global_pool": "avg"}
    lines = model.Network("a", "a", "resnet50", "a1", "random:1\n0", options=options).snippet("it's").split("\n")
    asked = []
    timm = SimpleNamespace(create_model=lambda *names, **given: asked.append((names, given)) or MagicMock())
    exec("\n".join(lines).replace("import timm", ""), {"timm": timm})
    assert lines[0] == "# weights: random:1 0"
    assert asked == [(("resnet50.a1",), options)]
    assert lines[-1] == """layer = model.get_submodule("it's")"""
    assert "('resnet50', pretrained=True)" in model.Network("a", "a", "resnet50", weights="pretrained").snippet("fc")


def test_the_panel_lists_a_passport_by_names():
    passport = {"seed": 0, "recipe": {"name": "lucid", "rate": 0.05, "left": None}, "at": [[1, 2], ["a"]]}
    assert passports.rows(passport | {"channel": list(range(64))}) == [
        ["seed", "0"],
        ["recipe.name", "lucid"],
        ["recipe.rate", "0.05"],
        ["recipe.left", "null"],
        ["at.0", "1, 2"],
        ["at.1", "a"],
        ["channel", "64 values, 0 to 63"],
    ]


def test_units_of_a_classifier_are_called_by_their_class(tmp_path):
    result = Results(tmp_path / "results", "net", {"fc": ("head", 5, [0, 1])}, photographs(("coffee",)))
    names = ["cat", "<i>dog</i>", "owl", "fox", "elk"]
    facts = json.loads((result.folder / "model.json").read_text()) | {"class_count": 5, "class_names": names}
    (result.folder / "model.json").write_text(json.dumps(facts))
    census = result.folder / "layers.csv"
    census.write_text(census.read_text().replace("Conv2d", "Linear"))
    write.layer_pages(result.layer_inputs("fc"), tmp_path / "fc.html", tmp_path / "fc")
    assert told(tmp_path / "fc" / "columns.js")["names"] == names
    assert 'aria-label="Unit 1: &lt;i&gt;dog&lt;/i&gt;' in (tmp_path / "fc.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("field_px", "exact", "words"),
    [(3, True, "sees 3 px"), (67, False, "sees up to 67 px"), (224, True, "sees the whole input"), (0, True, "")],
)
def test_a_receptive_field_is_told_in_words(field_px, exact, words):
    network = model.Network("n", "n", "n", data={"input_size": [3, 224, 224]})
    layer = model.LayerFacts("l", receptive_field_px=field_px, receptive_field_exact=exact)
    assert network.sees(layer) == words


def test_the_page_about_the_atlas_has_a_row_for_every_technique(atlas, results):
    summary = json.loads((atlas / "lite0/summary.json").read_text()) | {"folder": "lite0"}
    told = account.rows(summary, account.read(atlas / "classes"), account.read(atlas / "images"))
    by_technique = {row["technique"]: row for row in told}
    shards = {"channels", "negative", "diversity", "dreams", "accentuation", "layer_dreams", "caricature", "classes"}
    assert shards | {"examples", "maps", "kernels", "saliency", "patches", "fooling", "inversion"} == set(by_technique)
    assert by_technique["channels"]["recipe"] == "lucid"
    assert by_technique["channels"]["seed"] == 0
    assert by_technique["dreams"]["photographs"] == 2
    assert by_technique["examples"]["photographs"] == len(results[0].photos)
    photograph = (atlas / "images" / f"{results[0].photos[0].key}.html").read_text()
    maps = re.findall(r"saliency/[^/]*/lite0-0-(?!lab)\w+\.webp", photograph)
    assert by_technique["saliency"]["pictures"] >= len(maps) > 0
    assert by_technique["inversion"]["layers"] > 0
    page = (atlas / "about.html").read_text()
    for row in told:
        assert f'<th scope="row">{row["title"]}</th>' in page
        assert row["command"] in page


def test_the_command_that_repeats_a_technique_names_a_rule():
    rules = "".join(path.read_text() for path in RULES.glob("*.smk"))
    for technique in account.TECHNIQUES:
        rule = account.RULES.get(technique, technique)
        assert re.search(rf"^rule {rule}:|^use rule \w+ as {rule} with", rules, re.MULTILINE), rule


@pytest.fixture(scope="module")
def few_pages(tmp_path_factory):
    """An atlas in which the photographs of dreams have a page and no others."""
    folder = tmp_path_factory.mktemp("few")
    photos = photographs()
    result = Results(folder / "results", "net", {"a": ("1", 4, [0, 2]), "b": ("1", 2, [0])}, photos)
    kept = tuple(photo.id for photo in photos[:2])
    write_atlas([result], folder / "atlas", images=kept, feature_maps=())
    return folder / "atlas", photos


def test_photographs_without_a_page_are_small_pictures_where_they_excite_a_unit(few_pages):
    atlas, photos = few_pages
    made = sorted(path.stem for path in (atlas / "images").glob("*.html"))
    assert made == ["index", *sorted(photo.key for photo in photos[:2])]
    seen = {key for layer in "ab" for key in (atlas / "net" / layer / "photographs.txt").read_text().split()}
    assert seen - set(made), "the test needs one that is shown and has no page"
    assert {path.stem for path in (atlas / "images/photo").iterdir()} == seen | set(made[1:])
    assert sorted(path.stem for path in (atlas / "images/large").iterdir()) == made[1:]
    for entry in told(atlas / "net/a/details-0.js")["photographs"]:
        assert entry[3:] == ([] if entry[0] in made else [1])
    listed = {entry["key"]: entry["page"] for entry in json.loads((atlas / "manifest.json").read_text())["images"]}
    assert [key for key, page in listed.items() if page] == made[1:]
    assert [entry[0] for entry in told(atlas / "search.js")["photographs"] if len(entry) == 2] == made[1:]
    assert "4 photographs more have no page" in (atlas / "about.html").read_text()


def test_no_link_leads_to_a_page_that_was_not_made(few_pages):
    atlas, _ = few_pages
    for page in atlas.rglob("*.html"):
        for target in Links(page).targets:
            file = unquote(target.partition("#")[0])
            assert not file or (page.parent / file).exists(), f"{page}: {target}"


def test_the_panel_links_to_the_small_picture_of_a_photograph_without_a_page(few_pages, visit):
    atlas, _photos = few_pages
    page = visit("net/a.html#u0", atlas.as_uri())
    links = page.eval_on_selector_all("#panel .shots a, #panel .between a", "all => all.map(one => one.href)")
    files = {unquote(link.removeprefix(atlas.as_uri() + "/")) for link in links}
    assert {Path(file).suffix for file in files} == {".html", ".webp"}
    assert [file for file in files if not (atlas / file).exists()] == []


def test_long_lists_of_photographs_are_cut_into_pages(tmp_path):
    photos = photographs(("coffee",)) * (write.IMAGES_PER_INDEX + 1)
    photos = tuple(replace(photo, id=f"p{n}", key=f"p{n}") for n, photo in enumerate(photos))
    result = Results(tmp_path / "results", "net", {"a": ("1", 4, [0])}, photos[:2])
    inputs = replace(result.image_model(tmp_path), activations=(), saliency=(), patches=(), fooling=(), inversion=())
    write.image_pages(ImageInputs(photos, (inputs,), atlas_settings(photos)), tmp_path / "images")
    first, second = (Links(tmp_path / "images" / name) for name in ("index.html", "index-2.html"))
    assert [target for target in second.targets if target.startswith("p2")] == [f"p{write.IMAGES_PER_INDEX}.html"]
    assert "index-2.html" in first.targets
    assert "index.html" in second.targets


def test_the_manifest_names_every_series_and_photograph(atlas):
    manifest = json.loads((atlas / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["images"][0]["key"] == "skimage-astronaut"
    made = {layer["name"]: layer["made"]["series"] for layer in manifest["models"][0]["layers"]}
    dreams = ["dreams-skimage-astronaut", "dreams-skimage-chelsea"]
    assert [series["prefix"] for series in made["conv_stem"]] == [
        *("channels", "negative", "diversity", "diversity-noise-2"),
        *dreams,
        "accentuation-skimage-astronaut",
        "examples",
        "maps-skimage-astronaut",
        "kernels",
    ]
    assert [series["prefix"] for series in made["classifier"]] == ["examples"]


def test_a_layer_of_two_thousand_units_stays_light(tmp_path):
    photos = photographs(("coffee", "camera", "rocket"))
    result = Results(tmp_path / "results", "net", {"wide": ("1", 2048, [])}, photos)
    write.layer_pages(result.layer_inputs("wide"), tmp_path / "wide.html", tmp_path / "wide")
    assert (tmp_path / "wide.html").stat().st_size / 2048 <= 80
    data = sum(path.stat().st_size for path in (tmp_path / "wide").glob("*.js"))
    assert data / 2048 <= 0.6 * KILOBYTE


def all_assets(page: Path) -> set[Path]:
    """Style sheets and scripts that a page loads, at once or when a reader asks for what they show."""
    home = next(folder for folder in page.parents if (folder / "assets").is_dir()) / "assets"
    waiting = {home / Path(file).name for file in Links(page).targets if "assets/" in file and not file.endswith("svg")}
    found = set()
    while waiting - found:
        asset = (waiting - found).pop()
        found.add(asset)
        waiting |= {
            home / name for name in re.findall(r"[\w-]+\.(?:js|css)", asset.read_text()) if (home / name).exists()
        }
    return found


def test_no_page_loads_more_than_forty_kilobytes_of_style_and_script_with_what_comes_on_demand(atlas):
    sizes = {page: sum(asset.stat().st_size for asset in all_assets(page)) for page in atlas.rglob("*.html")}
    assert {str(page): size for page, size in sizes.items() if size > 40 * KILOBYTE} == {}
    needed = {asset.name for asset in all_assets(atlas / "lite0/conv_stem.html")}
    assert {"panel.js", "evidence.js", "charts.js", "notes.js"} <= needed, "the panel comes on demand and counts"


def test_nested_templates_and_names_of_data_outlive_the_minifier():
    nested = "const wide = (b) => `a, ${b ? `, ${b} d` : ''} e  f`; const { name, list: { length } } = DATA;"
    for squeezed in (assets.of_text(nested, ".js"), assets.squeeze(nested, ".js")):
        script = (
            f"const DATA = {{ name: 'n', list: [1, 2] }};\n{squeezed}\nprocess.stdout.write(wide(1) + name + length)"
        )
        node = shutil.which("node") or pytest.skip("node is not installed: no script was run")
        run = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
        assert run.stdout == "a, , 1 d e  fn2"


def test_squeezing_leaves_what_is_not_comment_or_indentation():
    assert assets.squeeze("/* why\n or not */\na {\n  color: red; /* so */\n}\n", ".css") == "a{color:red}\n"
    assert assets.squeeze('// why\n  go("a // b"); // not\n', ".js") == 'go("a // b");'
    nested = "say(`a, ${b ? `, ${c} d` : ''} e`);"
    assert assets.squeeze(nested, ".js") == nested
