"""The configuration is read strictly: every mistake is one sentence with its place and the nearest possibility."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from konvolut.asked import built_in, recipes, settings
from konvolut.asked.settings import Channels
from konvolut.errors import UserError

MODELS = "id\ttimm_name\tweights\ntiny\tresnet10t\trandom:0\n"
IMAGES = "id\tpath\tlabel\ncat\tcat.png\ta cat\ndog\tdog.png\ta dog\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a model sheet, an image sheet and its two photographs."""
    (tmp_path / "models.tsv").write_text(MODELS)
    (tmp_path / "images.tsv").write_text(IMAGES)
    for name in ("cat", "dog"):
        Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def load(folder, text=""):
    """Settings of a configuration in YAML on top of the two sheets."""
    return settings.load({"models": "models.tsv", "images": "images.tsv", **(yaml.safe_load(text) or {})}, folder)


def refused(folder, text):
    """The sentence with which a configuration is refused."""
    with pytest.raises(UserError) as error:
        load(folder, text)
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- keys


def test_a_photograph_that_a_technique_names_has_a_page_whatever_atlas_images_says(folder):
    assert load(folder, "atlas: {images: [dog]}\ndreams: {images: []}").atlas.images == ("dog",)
    assert load(folder, "atlas: {images: []}\ndreams: {images: [cat]}").atlas.images == ("cat",)
    assert "atlas.images" in refused(folder, "atlas: {images: [cow]}")


def test_an_empty_configuration_has_all_defaults(folder):
    read = load(folder)
    assert read.layers == ("auto",)
    assert read.channels == settings.ChannelsSettings()
    assert read.atlas == settings.AtlasSettings(images=tuple(image.id for image in read.images))
    assert [image.id for image in read.images] == ["cat", "dog"]


def test_an_empty_section_has_its_defaults(folder):
    assert load(folder, "channels:\nsaliency:") == load(folder, "channels: {}\nsaliency: {}") == load(folder)


def test_what_is_written_is_what_is_read(folder):
    read = load(
        folder,
        """
        seed: 7
        device: cpu
        layers: ["blocks.*", conv_head]
        images_on_error: skip
        activations: {maps: [], dtype: float32, compression: gzip, images_per_shard: 3, layers: all}
        examples: {top: 3, keep: 5}
        saliency: {methods: [negative], targets: [predicted, 281, tabby], top: 2}
        atlas: {title: "<b>", large: false}
        """,
    )
    assert (read.seed, read.device, read.images_on_error) == (7, "cpu", "skip")
    assert read.layers == ("blocks.*", "conv_head")
    assert read.activations == settings.ActivationsSettings(
        layers=("all",), maps=(), dtype="float32", compression="gzip", images_per_shard=3
    )
    assert read.examples == settings.ExamplesSettings(keep=5, top=3)
    assert read.saliency == settings.SaliencySettings(("negative",), ("predicted", 281, "tabby"), 2)
    assert (read.atlas.title, read.atlas.large) == ("<b>", False)


@pytest.mark.parametrize(
    ("text", "place", "close"),
    [
        ("chanels: {}", "unknown key chanels", "'channels'"),
        ("channels: {chanels: all}", "unknown key channels.chanels", "'channels'"),
        ("channels: {step: 3}", "unknown key channels.step", "'steps'"),
        ("atlas: {thumbnail_px: 96}", "unknown key atlas.thumbnail_px", "'thumbnails_px'"),
        ("inspect: {flops: true}", "unknown key inspect.flops", "possible: none"),
        ("saliency: {xyz: 1}", "unknown key saliency.xyz", "possible: methods, targets"),
        ("1: 2", "unknown key 1", "possible: models, images"),
    ],
)
def test_an_unknown_key_is_named_with_its_section_and_what_is_near(folder, text, place, close):
    sentence = refused(folder, text)
    assert place in sentence
    assert close in sentence


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("seed: one", "seed", "a whole number from 0"),
        ("seed: true", "seed", "a whole number from 0"),
        ("seed: 1.0", "seed", "a whole number from 0"),
        ("seed: -1", "seed", "a whole number from 0"),
        ("seed:", "seed", "not empty (null)"),
        ("models: 3", "models", "text"),
        ("device: gpu", "device", "one of auto, cpu, cuda, mps"),
        ("device: cdua", "device", "nearest: 'cuda'"),
        ("layers: []", "layers", "auto, all, or a list"),
        ("layers: [3]", "layers", "auto, all, or a list"),
        ("activations: {maps: 1}", "activations.maps", "image ids"),
        ('activations: {draft: "yes"}', "activations.draft", "true or false"),
        ("activations: {dtype: float64}", "activations.dtype", "nearest: 'float"),
        ("activations: [1]", "activations", "a section of keys"),
        ("channels: first:3", "channels", "a section of keys"),
        ("channels: {channels: first:0}", "channels.channels", "first:N"),
        ("channels: {channels: 9-3}", "channels.channels", "a range such as 0-15"),
        ("channels: {channels: [1, true]}", "channels.channels", "a list of numbers"),
        ("channels: {channels: -1}", "channels.channels", "a list of numbers"),
        ("channels: {channels: 0-99999999999}", "channels.channels", "a range"),
        ("channels: {recipe: lucyd}", "channels.recipe", "nearest: 'lucid'"),
        ("saliency: {methods: [vanilla, grad_camm]}", "saliency.methods", "nearest: 'grad_cam'"),
        ("job_minutes: 1.0e-300", "job_minutes", "at least 0.001"),
        ("channels: {optimiser: adma}", "channels.optimiser", "nearest: 'adam'"),
        ("channels: {steps: 0}", "channels.steps", "a whole number of at least 1"),
        ("channels: {learning_rate: fast}", "channels.learning_rate", "a number above 0"),
        ("channels: {learning_rate: 0}", "channels.learning_rate", "a number above 0"),
        ("channels: {learning_rate: .inf}", "channels.learning_rate", "a number above 0"),
        ("channels: {weight_decay: -0.1}", "channels.weight_decay", "a number of at least 0"),
        ("channels: {transforms: [[wobble, 3]]}", "channels.transforms", "jitter"),
        ("channels: {transforms: [jitter]}", "channels.transforms", "a list of pairs"),
        ("dreams: {longest_side_px: 100000}", "dreams.longest_side_px", "a whole number from 16 to"),
        ("saliency: {methods: [guided]}", "saliency.methods", "vanilla, positive, negative"),
        ("saliency: {top: 6}", "saliency.top", "a whole number from 1 to 5"),
        ("saliency: {targets: [-3]}", "saliency.targets", "class numbers"),
        ('atlas: {title: ""}', "atlas.title", "text"),
        ('atlas: {title: "a\\ab"}', "atlas.title", "text"),
        ("examples: {top: 9, keep: 3}", "examples.top (9)", "examples.keep (3)"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_place_and_what_is_wanted(folder, text, place, wanted):
    sentence = refused(folder, text)
    assert f"config: {place}" in sentence
    assert wanted in sentence


def test_a_configuration_that_is_a_list_is_refused(tmp_path):
    with pytest.raises(UserError, match="must be a section of keys"):
        settings.load(["models"], tmp_path)


def test_a_very_long_value_does_not_drown_the_sentence(folder):
    assert len(refused(folder, f"seed: {'x' * 5000}")) < 300


COMMAND_LINE = [
    ("seed=7", {"seed": 7}),
    ("layers=[auto, conv_head]", {"layers": ["auto", "conv_head"]}),
    ('channels={channels: "first:64", steps: 256}', {"channels": {"channels": "first:64", "steps": 256}}),
    ("channels={learning_rate: 1e-2, steps: 9}", {"channels": {"learning_rate": 0.01, "steps": 9}}),
    ("channels={channels: [1, 4-6], size_px: 64}", {"channels": {"channels": [1, "4-6"], "size_px": 64}}),
    (
        "channels={transforms: [[jitter, 4], [scale, .1]]}",
        {"channels": {"transforms": [["jitter", 4], ["scale", 0.1]]}},
    ),
    ("dreams={images: [], layers: null}", {"dreams": {"images": [], "layers": None}}),
    ("saliency={targets: [281, predicted], top: 3}", {"saliency": {"targets": [281, "predicted"], "top": 3}}),
    ("activations={draft: false, layers: [a, b]}", {"activations": {"draft": False, "layers": ["a", "b"]}}),
    ('atlas={title: "12"}', {"atlas": {"title": "12"}}),
]


@pytest.mark.parametrize(("argument", "meant"), COMMAND_LINE, ids=[argument for argument, _ in COMMAND_LINE])
def test_snakemakes_command_line_means_the_same_as_the_file(folder, argument, meant):
    """Its parser turns every value inside a section into text."""
    parsed = pytest.importorskip("snakemake.cli").parse_config([argument])
    assert load(folder, yaml.safe_dump(parsed)) == load(folder, yaml.safe_dump(meant))


def test_yamls_number_without_a_point_is_a_number_all_the_same(folder):
    assert yaml.safe_load("1e-2") == "1e-2"
    assert load(folder, "channels: {learning_rate: 1e-2}").channels.recipe.learning_rate == 0.01


# ---- selectors and recipes


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("all", Channels("all")),
        ("first:16", Channels("first", 16)),
        ("random:8", Channels("random", 8)),
        ("3", Channels("numbers", numbers=(3,))),
        ("4-7", Channels("numbers", numbers=(4, 5, 6, 7))),
        ('"0-2, 9"', Channels("numbers", numbers=(0, 1, 2, 9))),
        ("[5, 0, 5, 1-3]", Channels("numbers", numbers=(5, 0, 1, 2, 3))),
        ("[]", Channels("numbers")),
    ],
)
def test_channel_selectors_stay_data(folder, text, selector):
    assert load(folder, f"channels: {{channels: {text}}}").channels.channels == selector


def test_a_recipe_is_a_name_with_fields_overridden_in_the_section(folder):
    read = load(folder, "channels: {recipe: lucid, steps: 5, learning_rate: 1, transforms: [[jitter, 4]]}")
    lucid = built_in.BUILT_IN["lucid"]
    changed = {"steps": 5, "learning_rate": 1.0, "transforms": (("jitter", 4.0),)}
    assert read.channels.recipe == recipes.Recipe(**{**vars(lucid), **changed})
    assert read.dreams.recipe == settings.DreamsSettings().recipe


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("[dog]", ("dog",)),
        ("[dog, cat, dog]", ("cat", "dog")),
        ('"*"', ("cat", "dog")),
        ("[c*]", ("cat",)),
        ("all", ("cat", "dog")),
        ("first:1", ("cat",)),
        ("[]", ()),
    ],
)
def test_photographs_to_dream_are_chosen_by_id_in_the_order_of_the_sheet(folder, text, chosen):
    assert load(folder, f"dreams: {{images: {text}}}").dreams.images == chosen


def test_an_unknown_photograph_to_dream_is_refused_with_the_nearest_id(folder):
    assert "dreams.images: 'dogg' is no image id of the sheet; nearest: 'dog'" in refused(
        folder, "dreams: {images: dogg}"
    )


# ---- the look at photographs before any job


def test_photographs_with_good_headers_pass(folder):
    assert settings.check_images(load(folder)) == ()


@pytest.mark.parametrize(("content", "problem"), [(b"hello, I am text", "no image"), (None, "1 x 1 px")])
def test_what_is_no_photograph_ends_the_run_before_any_job_or_is_told(folder, content, problem):
    Image.new("L", (1, 1)).save(folder / "dog.png")
    if content:
        (folder / "dog.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"image 'dog': .*dog\.png is {problem}"):
        settings.check_images(load(folder))
    (sentence,) = settings.check_images(load(folder, "images_on_error: skip"))
    assert "image 'dog'" in sentence
    assert problem in sentence


def test_everything_names_every_section_and_every_recipe_where_it_can_be_used():
    root = Path(settings.__file__).parents[3]
    text = (root / "config/everything.yaml").read_text()
    laid = yaml.safe_load(text)
    assert [name for name in settings.SECTIONS if name not in laid] == ["inspect"]
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    named = set()
    for section, keys in laid.items():
        chapter = text.split(f"\n{section}:")[1].split("\n\n")[0]
        others = re.search(r"recipe: \S+ # or: ([\w, -]+)", chapter)
        for recipe in [keys["recipe"], *re.split(", ", others[1] if others else "")] if "recipe" in keys else ():
            if recipe:
                read = settings.load(config | laid | {section: keys | {"recipe": recipe}}, root)
                assert getattr(read, section).recipe.name == recipe
                named.add(recipe)
    assert named == set(built_in.BUILT_IN)


def test_settings_need_neither_torch_nor_pillow():
    """The Snakefile reads them anew for every job."""
    root = Path(settings.__file__).parents[2]
    code = "import sys, konvolut.asked.settings; print([m for m in ('torch', 'timm', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
