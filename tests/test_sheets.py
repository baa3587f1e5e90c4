"""Sample sheets: ids are data and never paths; every row's mistake is named with its line."""

import os
import random
import re
from pathlib import Path

import pytest
from PIL import Image
from snakemake.io import contains_wildcard

from konvolut.asked import as_json, places, sheets
from konvolut.errors import UserError
from konvolut.results import checks

HOSTILE = [
    "cat 1",
    "a/b",
    "../../etc/passwd",
    "/root",
    "..",
    ".",
    ".hidden",
    "<script>alert(1)</script>",
    "\"quoted\" & 'quoted'",
    "$(rm -rf ~); `id`",
    "{wildcard}",
    "Zoë",
    "猫",
    "🐈‍⬛",
    "CON",
    "nul.txt",
    "com1",
    "atlas",
    "atlas-now",
    "classes",
    "Index",
    "plan.tsv",
    "ends.",
    "-rf",
    "x" * 300,
    "%2e%2e%2f",
    "*",
    "NA",
    "null",
    "1e5",
]


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def images(folder, *rows, header="id\tpath"):
    (folder / "images.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return sheets.read_images(folder, "images.tsv")


def models(folder, *rows, header="id\ttimm_name\tweights\toptions"):
    (folder / "models.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return sheets.read_models(folder, "models.tsv")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


# ---- ids and keys


@pytest.mark.parametrize("id_", HOSTILE)
def test_a_hostile_id_is_shown_as_it_is_and_its_key_is_harmless(tmp_path, photo, id_):
    (image,) = images(tmp_path, f"{id_}\tp.png")
    assert image.id == id_
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", image.key)
    assert not image.key.endswith(".")
    assert image.key.split(".")[0].lower() not in sheets.RESERVED
    assert image.key == sheets.key_of(id_)


def test_what_lies_beside_the_folders_of_models_is_reserved():
    """What belongs to a whole sweep, and every path of results/README.md that does not begin with a model."""
    table = (Path(__file__).parents[1] / "results/README.md").read_text().split("## ")[0]
    listed = [path.split("/")[0] for path in re.findall(r"^\| `([^{`]+)` \|", table, re.MULTILINE)]
    assert {"plan.tsv", "atlas", "logs"} < {*listed}
    named = {*listed, *checks.OF_SWEEP, *checks.OF_ATLAS}
    assert {name.partition(".")[0].lower() for name in named} - sheets.RESERVED == set()


@pytest.mark.parametrize("id_", ["cat", "resnet50.a1_in1k", "A-1", "x" * 64, "atlas2", "console"])
def test_a_harmless_id_is_its_own_key(id_):
    assert sheets.key_of(id_) == id_


def test_keys_of_ids_that_clean_to_the_same_differ():
    ids = ["a b", "a/b", "a?b", "a  b", "ä b", "a-b", "a_b"]
    assert len({sheets.key_of(id_) for id_ in ids}) == len(ids)


def test_random_ids_never_give_a_path_out_of_their_folder(tmp_path):
    rng = random.Random(3)
    for _ in range(500):
        id_ = "".join(rng.choice("ab/\\.. :*?\"'<>|$`{}é猫-_") for _ in range(rng.randrange(1, 90)))
        assert (tmp_path / sheets.key_of(id_)).resolve().parent == tmp_path.resolve()


def test_the_key_of_a_long_id_tells_its_beginning_and_its_end():
    key = sheets.key_of("validation images of the year/" + "x" * 100 + "/picture 00017")
    assert key.startswith("validation-images")
    assert "picture-00017-" in key
    assert len(key) <= 64


@pytest.mark.parametrize(("second", "problem"), [("cat", "stands twice"), ("CAT", "differ only in case")])
def test_ids_that_clash_are_refused_with_both_lines(tmp_path, photo, second, problem):
    with pytest.raises(UserError, match=rf"images\.tsv line 4: image id '{second}'.*{problem}.*first on line 2"):
        images(tmp_path, "cat\tp.png", "dog\tp.png", f"{second}\tp.png")


def test_ids_that_look_the_same_are_the_same(tmp_path, photo):
    with pytest.raises(UserError, match="stands twice"):
        images(tmp_path, "Zo\u00eb\tp.png", "Zoe\u0308\tp.png")


def test_two_models_of_one_id_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"models\.tsv line 3: model id 'm' stands twice \(first on line 2\)"):
        models(tmp_path, "m\tresnet18\t\t", "m\tresnet34\t\t")


@pytest.mark.parametrize("cells", ["\tp.png", "  \tp.png"])
def test_an_empty_id_is_refused_with_its_line(tmp_path, photo, cells):
    with pytest.raises(UserError, match=r"images\.tsv line 2: column id is empty"):
        images(tmp_path, cells)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x07"])
def test_control_characters_are_refused(tmp_path, photo, character):
    with pytest.raises(UserError, match="control character"):
        images(tmp_path, f"a{character}b\tp.png")


# ---- the table


def test_a_sheet_may_have_blank_lines_comments_a_mark_and_windows_ends(tmp_path, photo):
    text = "\ufeffid\tpath\tlabel\r\n\r\n# mine\r\ncat\tp.png\t a cat \r\ndog\tp.png\r\n"
    (tmp_path / "images.tsv").write_bytes(text.encode())
    read = sheets.read_images(tmp_path, "images.tsv")
    assert [(image.id, image.label) for image in read] == [("cat", "a cat"), ("dog", "")]


def test_blank_lines_and_comments_may_stand_before_the_header(tmp_path, photo):
    (tmp_path / "images.tsv").write_text("# my photographs\n\nid\tpath\ncat\tp.png\nb\tgone.png\n")
    with pytest.raises(UserError, match=r"line 5: image 'gone\.png' does not exist"):
        sheets.read_images(tmp_path, "images.tsv")


def test_line_numbers_count_blank_lines_and_comments(tmp_path, photo):
    with pytest.raises(UserError, match=r"line 5: image 'gone\.png' does not exist"):
        images(tmp_path, "a\tp.png", "", "# comment", "b\tgone.png")


def test_empty_columns_that_spreadsheets_leave_are_dropped(tmp_path, photo):
    assert images(tmp_path, "cat\tp.png\t\t", header="id\tpath\t\t")[0].id == "cat"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"id\tpath\n", "has no rows"),
        (b"id,path\ncat,p.png\n", "column 'id,path' is unknown; possible, separated by tabs: id, path"),
        (b"id\tpath\tlable\ncat\tp.png\tx\n", "column 'lable' is unknown.*nearest: 'label'"),
        (b"id\tpath\tpath\ncat\tp.png\tp.png\n", "column 'path' stands twice"),
        (b"id\tlabel\ncat\tx\n", "column 'path' is missing"),
        (b"id\tpath\ncat\tp.png\n\ndog\tp.png\tx\n", "line 4 has 3 cells, the header 2"),
        (b"id\tpath\nZo\xeb\tp.png\n", "no UTF-8"),
    ],
)
def test_a_malformed_sheet_is_refused_with_what_is_wrong(tmp_path, photo, content, problem):
    (tmp_path / "images.tsv").write_bytes(content)
    with pytest.raises(UserError, match=problem):
        sheets.read_images(tmp_path, "images.tsv")


def test_a_missing_sheet_is_named(tmp_path):
    (tmp_path / "images.tsv").touch()
    with pytest.raises(
        UserError, match=rf"sheet image\.tsv does not exist .*{tmp_path}/image.tsv\); nearest: 'images.tsv'"
    ):
        sheets.read_images(tmp_path, "image.tsv")
    with pytest.raises(UserError, match="cannot be read"):
        sheets.read_images(tmp_path, ".")


# ---- where photographs lie


def test_a_missing_photograph_is_refused_with_its_line_and_the_nearest_file(tmp_path, photo):
    with pytest.raises(UserError, match=r"images\.tsv line 2: image 'q\.png' does not exist .*nearest: 'p\.png'"):
        images(tmp_path, "cat\tq.png")


def test_an_empty_photograph_is_refused_with_its_line(tmp_path):
    (tmp_path / "e.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"images\.tsv line 2: image 'e\.png' is empty \(0 bytes"):
        images(tmp_path, "cat\te.png")


def test_an_empty_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="line 2: column path is empty"):
        images(tmp_path, "cat\t\tx", header="id\tpath\tlabel")


def test_a_folder_gives_its_photographs_in_natural_order(tmp_path):
    touch(tmp_path, "set/i10.png", "set/i2.JPG", "set/.hidden.png", "set/notes.txt", "set/below/i3.png")
    assert [image.id for image in images(tmp_path, "mine\tset")] == ["mine/i2", "mine/i10"]
    assert [image.id for image in images(tmp_path, "\tset\tx", header="id\tpath\tlabel")] == ["i2", "i10"]


def test_photographs_may_be_labelled_by_the_folder_that_each_lies_in(tmp_path):
    touch(tmp_path, "val/red fox/1.png", "val/red fox/2.png", "val/owl/1.png")
    rows = ("v\tval/*/*.png\tfolder", "o\tval/owl/1.png\tfolder", "w\tval/owl\tan owl")
    found = images(tmp_path, *rows, header="id\tpath\tlabel")
    assert {image.id: image.label for image in found} == {
        "v/owl/1": "owl",
        "v/red fox/1": "red fox",
        "v/red fox/2": "red fox",
        "o": "owl",
        "w/1": "an owl",
    }


def test_a_glob_of_any_depth_names_photographs_by_their_folders(tmp_path):
    touch(tmp_path, "set/cats/1.png", "set/dogs/1.png", "set/dogs/readme.txt", "set/0.png")
    read = images(tmp_path, "mine\tset/**/*\tpets", header="id\tpath\tgroup")
    assert [image.id for image in read] == ["mine/0", "mine/cats/1", "mine/dogs/1"]
    assert {image.group for image in read} == {"pets"}
    assert {image.source for image in read} == {"set/**/*"}


def test_a_folder_that_is_called_like_a_photograph_is_none(tmp_path):
    touch(tmp_path, "set/a.png", "set/b.png/c.txt")
    assert [image.id for image in images(tmp_path, "x\tset/")] == ["x/a"]


def test_a_link_to_the_folder_that_it_lies_in_gives_no_photograph_twice(tmp_path):
    touch(tmp_path, "set/a.png", "set/below/b.png", "other/c.png")
    (tmp_path / "set/below/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/here").symlink_to(".")
    (tmp_path / "set/other").symlink_to(tmp_path / "other")
    assert [image.id for image in images(tmp_path, "x\tset/**/*")] == ["x/a", "x/below/b", "x/other/c"]


@pytest.mark.parametrize("to", ["gone.png", "p.png"], ids=["a file that is gone", "itself"])
def test_a_link_that_leads_nowhere_is_called_one(tmp_path, to):
    (tmp_path / "p.png").symlink_to(to)
    with pytest.raises(UserError, match=r"images\.tsv line 2: image 'p\.png' is a link that leads nowhere"):
        images(tmp_path, "cat\tp.png")


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path):
    touch(tmp_path, "my [2020] set/a.png", "my [2020] set/b [1].png")
    base = tmp_path / "my [2020] set"
    assert [image.id for image in images(base, "x\t*.png")] == ["x/a", "x/b [1]"]
    assert images(tmp_path, "b\tmy [2020] set/b [1].png")[0].path.endswith("b [1].png")


def test_a_file_name_that_is_no_unicode_is_refused(tmp_path):
    touch(tmp_path, "set/a.png")
    (tmp_path / "set" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    with pytest.raises(UserError, match="control character or is no Unicode"):
        images(tmp_path, "x\tset")


@pytest.mark.parametrize(
    ("path", "problem"), [("set", "folder 'set' has none.*set/\\*\\*/\\*"), ("set/*.png", "matches none")]
)
def test_a_folder_or_glob_without_photographs_is_refused(tmp_path, path, problem):
    touch(tmp_path, "set/below/a.png")
    with pytest.raises(UserError, match=rf"images\.tsv line 2: .*{problem}"):
        images(tmp_path, f"x\t{path}")


# Braces around anything but a word mean nothing to Snakemake.
@pytest.mark.parametrize(
    "name", ["{cat}", "a{1}", "{{cat}}", "{ c.at , \\d{2}}", "{", "{a b}", "{}", "}a{", "{a,b", "cat"]
)
def test_a_name_that_snakemake_takes_for_a_wildcard_is_refused(tmp_path, name):
    """The oracle is Snakemake."""
    touch(tmp_path, f"set/{name}.png", f"set/{name}.pth")
    rows = [f"x\tset/{name}.png", "x\tset", "x\tset/*.png"]
    reads = [lambda row=row: images(tmp_path, row) for row in rows]
    reads.append(lambda: models(tmp_path, f"m\tresnet18\tfile:set/{name}.pth\t"))
    for read in reads:
        if contains_wildcard(name):
            with pytest.raises(UserError, match=r"tsv line 2: .*Snakemake takes \{.*: rename it"):
                read()
        else:
            read()


def test_two_files_of_one_stem_clash(tmp_path):
    touch(tmp_path, "set/a.png", "set/a.jpg")
    with pytest.raises(
        UserError, match=r"line 2: image id 'x/a' stands twice \(two of the row's files have that name\)"
    ):
        images(tmp_path, "x\tset")


def test_photographs_inside_a_package_are_found_without_importing_it(tmp_path, monkeypatch):
    touch(tmp_path, "box/data/a.png", "box/data/b.png")
    (tmp_path / "box/__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [image.id for image in images(tmp_path, "x\tpackage:box/data/*.png")] == ["x/a", "x/b"]
    assert images(tmp_path, "a\tpackage:box/data/a.png")[0].path == str(tmp_path / "box/data/a.png")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("package:skimagee/data/x.png", "no package 'skimagee' is installed"),
        ("package:konvolut", "must name a path inside"),
        ("package:konvolut/../../x.png", "must name a path inside"),
        ("package:../x.png", "no package"),
        ("package:__main__/x.png", "no package"),
        ("package:konvolut/x.png", "does not exist"),
    ],
)
def test_a_wrong_package_path_is_refused(tmp_path, path, problem):
    with pytest.raises(UserError, match=problem):
        images(tmp_path, f"x\t{path}")


@pytest.mark.parametrize("names", [["a1", "a2", "a10"], ["1", "2", "10", "a"], ["9-b", "10-a"], ["x", "x1"]])
def test_natural_order_counts_as_people_do(names):
    random.Random(1).shuffle(shuffled := list(names))
    assert sorted(shuffled, key=places.natural) == names


# ---- models


def test_a_model_row_is_read_with_its_weights_file(tmp_path):
    touch(tmp_path, "w.pth")
    (model,) = models(tmp_path, "m\tresnet18\tfile:w.pth\tin_chans=1; global_pool=max; mean=[0.5]; a=none; b=False")
    assert (model.id, model.key, model.timm_name, model.sheet_line) == ("m", "m", "resnet18", 2)
    assert model.options == (("a", None), ("b", False), ("global_pool", "max"), ("in_chans", 1), ("mean", (0.5,)))
    assert model.weights_path == tmp_path / "w.pth"


def test_weights_are_pretrained_where_nothing_is_said(tmp_path):
    (model,) = models(tmp_path, "m\tresnet18", header="id\ttimm_name")
    assert (model.weights, model.weights_path, model.options) == ("pretrained", None, ())


@pytest.mark.parametrize("weights", ["pretrained", "random:0", "hf-hub:timm/resnet18.a1_in1k"])
def test_weights_that_timm_finds_or_draws_are_no_file(tmp_path, weights):
    assert models(tmp_path, f"m\tresnet18\t{weights}\t")[0].weights_path is None


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ("pretraind", "nearest: 'pretrained'"),
        ("pretrained:", "possible: pretrained, random:SEED"),
        ("random", "possible: pretrained, random:SEED"),
        ("random:", "random:SEED"),
        ("random:x", "must be a whole number"),
        ("random:-1", "must be a whole number"),
        ("file:gone.pth", "'file:gone.pth' does not exist"),
        ("file:.", "is no file"),
        ("file:e.pth", "is empty"),
        ("package:nothing_here/x.pth", "no package 'nothing_here'"),
        ("C:/weights.pth", "file:PATH"),
    ],
)
def test_wrong_weights_are_refused_with_their_line(tmp_path, weights, problem):
    (tmp_path / "e.pth").write_bytes(b"")
    with pytest.raises(UserError, match=rf"models\.tsv line 2: .*{problem}"):
        models(tmp_path, f"m\tresnet18\t{weights}\t")


@pytest.mark.parametrize(
    "options", ["in_chans", "in_chans=", "=1", "in chans=1", "a=1; a=2", "pretrained=true", "a={}"]
)
def test_wrong_options_are_refused_with_their_line(tmp_path, options):
    with pytest.raises(UserError, match=r"models\.tsv line 2: options"):
        models(tmp_path, f"m\tresnet18\t\t{options}")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("in_chans=0", "in_chans must be a whole number of at least 1, not 0"),
        ("in_chans=-1", "in_chans must be a whole number of at least 1, not -1"),
        ("in_chans=true", "in_chans must be a whole number of at least 1, not True"),
        ("num_classes=-3", "num_classes must be a whole number of at least 0, not -3"),
        ("num_classes=ten", "num_classes must be a whole number of at least 0, not 'ten'"),
        ("features_only=true", "features_only leaves no network to look into"),
    ],
)
def test_options_that_leave_no_network_are_refused_before_one_is_built(tmp_path, options, problem):
    with pytest.raises(UserError, match=rf"models\.tsv line 2: options: {problem}"):
        models(tmp_path, f"m\tresnet18\t\t{options}")


def test_a_model_without_timm_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="line 2: column timm_name is empty"):
        models(tmp_path, "m\t\trandom:1\t")


# ---- how photographs are prepared, and names of classes


def test_what_photographs_are_to_a_model_stands_among_its_options(tmp_path):
    (model,) = models(tmp_path, "m\tresnet18\t\tmean=[0.1, 0.2, 0.3]; std=0.5; crop_pct=1; interpolation=bilinear")
    assert dict(model.options) == {"mean": (0.1, 0.2, 0.3), "std": 0.5, "crop_pct": 1, "interpolation": "bilinear"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("mean=grey", "mean must be a number or a list of them, one for each channel, not 'grey'"),
        ("mean=[]", r"mean must be a number or a list of them, one for each channel, not \(\)"),
        (
            "std=[0.2, 0, 0.2]",
            r"std must be a number above 0 or a list of them, one for each channel, not \(0.2, 0, 0.2\)",
        ),
        ("std=true", "std must be a number above 0 or a list"),
        ("crop_pct=0", "crop_pct must be a number above 0 and up to 1, not 0"),
        ("crop_pct=87.5", "crop_pct must be a number above 0 and up to 1, not 87.5"),
        ("interpolation=bicubik", "interpolation 'bicubik'; possible: nearest, .*; nearest: 'bicubic'"),
        ("img_size=[3, 64, 64]", r"img_size must be a side of 1 to 8192 px or \[height, width\], not \(3, 64, 64\)"),
        ("img_size=100000", "img_size must be a side of 1 to 8192 px or"),
        ("img_size=0", "img_size must be a side of 1 to 8192 px or"),
        ("img_size=[64, 0.5]", "img_size must be a side of 1 to 8192 px or"),
        ("input_size=[3, 64, 64]", r"input_size is said by img_size .* and in_chans"),
        ("crop_mode=[center]", "crop_mode '.center.'; possible: center, squash, border"),
    ],
)
def test_what_photographs_cannot_be_is_refused_with_its_line(tmp_path, options, problem):
    with pytest.raises(UserError, match=rf"models\.tsv line 2: options: {problem}"):
        models(tmp_path, f"m\tresnet18\t\t{options}")


NAMED = "id\ttimm_name\toptions\tclasses"


def test_classes_have_the_names_of_a_file_one_a_line(tmp_path):
    (tmp_path / "flowers.txt").write_bytes("\ufeffdaisy\r\n rose, wild \r\n<b>Löwenzahn</b>\r\n\r\n".encode())
    (model,) = models(tmp_path, "m\tresnet18\tnum_classes=3\tflowers.txt", header=NAMED)
    assert model.class_names == ("daisy", "rose, wild", "<b>Löwenzahn</b>")
    assert as_json.from_json(sheets.ModelSource, as_json.to_json(model)).class_names == model.class_names


@pytest.mark.parametrize(
    ("row", "content", "problem"),
    [
        ("\tflower.txt", b"a\n", "classes 'flower.txt' does not exist .*; nearest: 'flowers.txt'"),
        ("\tflowers.txt", b"a\n\nb\n", "classes 'flowers.txt': line 2 is empty; each line names one class"),
        ("\tflowers.txt", b" \n\n", "classes 'flowers.txt': line 1 is empty; each line names one class"),
        ("\tflowers.txt", b"a\n\x1bb\n", "classes 'flowers.txt': line 2: .* holds a control character"),
        ("\tflowers.txt", b"a\n\xff\n", "classes 'flowers.txt' is no UTF-8 text with one class a line"),
        ("\tflowers.txt", b"", r"classes 'flowers.txt' is empty \(0 bytes"),
        ("num_classes=3\tflowers.txt", b"a\nb\n", "'flowers.txt' names 2 classes, the options say num_classes=3"),
        ("\tpackage:nowhere/a.txt", b"a\n", "package:nowhere/a.txt: no package 'nowhere' is installed"),
    ],
)
def test_names_of_classes_that_cannot_be_are_refused_with_their_line(tmp_path, row, content, problem):
    (tmp_path / "flowers.txt").write_bytes(content)
    with pytest.raises(UserError, match=rf"models\.tsv line 2: {problem}"):
        models(tmp_path, f"m\tresnet18\t{row}", header=NAMED)
