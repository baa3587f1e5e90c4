"""Real Snakemake runs of a tiny sweep: two small networks' worth of every rule, in a folder of its own."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import h5py
import hdf5plugin  # noqa: F401 - registers the filter of the maps
import numpy as np
import pytest
import yaml

from konvolut.asked import plan, sheets
from konvolut.pictures import images
from konvolut.results import checks
from tiny_sweep import CONFIG, LAYERS, LITTLE, ROOT, SPEED, change, contents, jobs_of, snakemake, write_sweep


class Links(HTMLParser):
    """Every file that a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_every_rule_leaves_its_results(finished):
    results = finished / "results"
    expected = ["plan.tsv", "tiny/layers.csv", "tiny/model.json", "tiny/activations/0-2.h5", "tiny/examples.h5"]
    expected += ["tiny/saliency/0-2.h5", "atlas/index.html", "atlas/tiny/index.html", "atlas/images/index.html"]
    expected += [f"tiny/channels/{layer}/0-2.h5" for layer in LAYERS] + [
        f"tiny/dreams/{layer}/1-1.h5" for layer in LAYERS
    ]
    expected += ["tiny/patches/0-0.h5", "tiny/kernels.h5", "tiny/fooling/0-0.h5", "tiny/fooling/1-1.h5"]
    expected += [f"tiny/{name}/blocks.1.0/0-0.h5" for name in ("inversion", "layer_dreams", "caricature")]
    expected += [f"tiny/{name}/blocks.1.0/1-1.h5" for name in ("neuron", "negative", "diversity", "maco")]
    expected += ["tiny/accentuation/blocks.1.0/1-1.h5", "tiny/classes/0-0.h5", "tiny/classes/1-1.h5"]
    expected += [f"atlas/tiny/{layer}.html" for layer in LAYERS]
    assert [name for name in expected if not (results / name).exists()] == []


def test_no_model_can_take_the_name_of_something_else_in_a_finished_sweep(finished):
    beside = [path.name for path in [*finished.glob("results/*"), *finished.glob("results/atlas/*")]]
    heads = {name.partition(".")[0].lower() for name in beside if not name.startswith(".")}
    assert {"calibration", "classes"} < heads
    assert heads - sheets.RESERVED == {"tiny"}


def test_layer_pages_show_kernels_and_feature_maps(finished):
    made = finished / "results/atlas/tiny/conv_stem"
    assert (made / "kernels-0.webp").exists()
    assert (made / "maps-coffee-0.webp").exists()


def test_every_link_of_every_page_leads_somewhere(finished):
    atlas = finished / "results/atlas"
    dead = []
    for page in atlas.rglob("*.html"):
        links = Links()
        links.feed(page.read_text())
        for link in links.found:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                dead.append((page.name, link, "leaves the folder"))
            elif address.path and not (page.parent / unquote(address.path)).exists():
                dead.append((page.name, link, "is not there"))
    assert dead == []


def test_every_result_carries_its_passport(finished):
    for path in (finished / "results/tiny").rglob("*.h5"):
        with h5py.File(path) as file:
            passport = yaml.safe_load(file.attrs["passport"])
        assert passport["versions"]["torch"], path
        assert re.fullmatch("[0-9a-f]{64}", passport["weights_sha256"]), path
        assert passport["model"]["timm_name"] == "test_efficientnet", path
        assert not {"time", "date", "host", "hostname"} & passport.keys(), path


def test_nothing_is_left_of_unfinished_files(finished):
    assert [path for path in (finished / "results").rglob("*") if path.suffix in (".tmp", ".part")] == []


def test_a_second_run_does_nothing_and_says_so(sweep):
    run = snakemake(sweep)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_a_model_without_classes_has_its_atlas(tmp_path):
    models = "# a backbone\n\nid\ttimm_name\tweights\toptions\ntiny\ttest_efficientnet\trandom:1\tnum_classes=0\n"
    config = LITTLE | {"layers": ["conv_stem"], "patches": {}, "fooling": {}, "inversion": {}, "classes": {}}
    write_sweep(tmp_path, config, models=models, speed=SPEED)
    run = snakemake(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "predictions: not computed" in (tmp_path / "results/atlas/images/chelsea.html").read_text()
    assert (tmp_path / "results/atlas/tiny/conv_stem.html").is_file()


def test_the_same_sweep_gives_the_same_bytes(finished, tmp_path):
    write_sweep(tmp_path / "again", CONFIG, speed=SPEED)
    assert snakemake(tmp_path / "again").returncode == 0
    assert contents(tmp_path / "again") == contents(finished)


def test_a_changed_recipe_runs_its_technique_and_the_pages_again(sweep):
    change(sweep, channels={"steps": 5})
    assert "plan" in jobs_of(sweep), "the plan comes first; what follows is known when it is there"
    assert snakemake(sweep, "--until", "plan").returncode == 0
    jobs = jobs_of(sweep)
    assert jobs["channels"] == len(LAYERS)
    assert jobs["atlas_layer"] == len(LAYERS)
    assert not {"inspect", "activations", "examples", "dreams", "saliency"} & jobs.keys()


def test_another_device_is_measured_before_work_is_cut_into_jobs_for_it(sweep):
    change(sweep, device="auto")
    assert {"calibrate", "plan"} <= jobs_of(sweep).keys()


def test_the_order_of_keys_and_touched_files_run_nothing_again(sweep):
    config = yaml.safe_load((sweep / "config.yaml").read_text())
    (sweep / "config.yaml").write_text(yaml.safe_dump(dict(reversed(config.items())), sort_keys=False))
    touched = (
        "config.yaml",
        "models.tsv",
        "results/tiny/layers.csv",
        "results/tiny/precision.csv",
        "results/calibration.tsv",
    )
    for name in touched:
        os.utime(sweep / name)
    assert jobs_of(sweep) == {}


def test_a_result_that_is_gone_is_made_again_the_same(sweep):
    before = contents(sweep)
    (sweep / "results/tiny/channels/blocks.1.0/0-2.h5").unlink()
    shutil.rmtree(sweep / "results/atlas/tiny/classifier")
    assert snakemake(sweep).returncode == 0
    assert contents(sweep) == before


def test_results_of_an_older_configuration_do_not_get_into_the_atlas(sweep):
    change(sweep, layers=LAYERS[:2])
    assert snakemake(sweep).returncode == 0
    page = (sweep / "results/atlas/tiny/index.html").read_text()
    assert "blocks.1.0.html" in page
    assert "classifier.html" not in page
    pages = {path.name for path in (sweep / "results/atlas/tiny").iterdir()}
    assert not {"classifier", "classifier.html"} & pages
    assert {"blocks.1.0", "blocks.1.0.html", "conv_stem", "index.html"} <= pages
    assert (sweep / "results/tiny/channels/classifier/0-2.h5").exists(), "what was computed is kept until asked"


# What of each technique lies in the atlas, and which page shows it: by its name, or that of a series of sheets.
SEEN = {
    "activations": ("tiny/blocks.1.0/maps-coffee-0.webp", "images/coffee.html"),
    "examples": ("tiny/blocks.1.0/examples-0.webp", "tiny/blocks.1.0/columns.js"),
    **{
        name: (f"tiny/blocks.1.0/{name}-0.webp", "tiny/blocks.1.0/columns.js")
        for name in ("channels", "neuron", "negative", "diversity", "maco")
    },
    "dreams": ("tiny/blocks.1.0/dreams-coffee-0.webp", "images/coffee.html"),
    "accentuation": ("tiny/blocks.1.0/accentuation-rocket-0.webp", "images/rocket.html"),
    "layer_dreams": ("tiny/blocks.1.0/layer_dreams-coffee.webp", "tiny/blocks.1.0.html"),
    "caricature": ("tiny/blocks.1.0/caricature-coffee.webp", "tiny/blocks.1.0.html"),
    "classes": ("classes/tiny/7-l2.webp", "classes/tiny/7.html"),
    "saliency": ("images/saliency/coffee/tiny-0-vanilla.webp", "images/coffee.html"),
    "patches": ("images/trials/rocket/tiny-square-0.webp", "images/rocket.html"),
    "kernels": ("tiny/conv_stem/kernels-0.webp", "tiny/conv_stem/columns.js"),
    "fooling": ("images/trials/coffee/tiny-fooled-0.png", "images/coffee.html"),
    "inversion": ("images/trials/coffee/tiny-knows-blocks.1.0.webp", "images/coffee.html"),
}


def test_every_technique_of_everything_is_seen_on_a_page(finished):
    atlas = finished / "results/atlas"
    laid = yaml.safe_load((ROOT / "config/everything.yaml").read_text())
    elsewhere = {"alike", "trust", "atlas"}  # want 30 photographs: tests/test_atlas_evidence.py; no technique
    assert {*laid} - elsewhere == {*SEEN}
    assert {*plan.read_plan(finished / "results/plan.tsv")["technique"]} - elsewhere == {*SEEN}
    for technique, (picture, page) in SEEN.items():
        assert images.read(atlas / picture).std() > 1, technique
        sheet = re.fullmatch(r"(.*)-\d+", Path(picture).stem) if picture.startswith("tiny/") else None
        shown = sheet[1] if sheet else Path(picture).name
        assert (f'"{shown}"' if page.endswith(".js") else shown) in (atlas / page).read_text(), technique


def test_nothing_in_a_finished_sweep_is_stale(finished):
    planned = plan.read_plan(finished / "results/plan.tsv")
    assert checks.stale(planned, finished / "results") == []


def test_the_atlas_of_a_running_sweep_is_made_beside_it_and_says_what_is_missing(sweep):
    next((sweep / "results/tiny/channels" / LAYERS[0]).glob("*.h5")).unlink()
    (sweep / ".snakemake/locks").mkdir(exist_ok=True)
    for name in ("0.input.lock", "0.output.lock"):  # as the Snakemake that is still running has them
        (sweep / ".snakemake/locks" / name).write_text(f"{sweep}/results/tiny/channels/x.h5\n")
    run = snakemake(sweep, "--nolock", "--forcerun", "atlas_now", "--", "atlas_now")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "The sweep is running: " in (sweep / "results/progress.txt").read_text()
    assert "Not yet rendered" in (sweep / f"results/atlas-now/tiny/{LAYERS[0]}.html").read_text()
    assert "Not yet rendered" not in (sweep / f"results/atlas-now/tiny/{LAYERS[-1]}.html").read_text()
    assert not list((sweep / "results/tiny/channels" / LAYERS[0]).glob("*.h5")), "only pages were made"


def test_any_unit_can_be_made_again_by_its_name(sweep):
    (sweep / "results/tiny/channels/blocks.1.0/0-2.h5").rename(sweep / "three.h5")  # else it is taken from there
    run = snakemake(sweep, "--", "results/tiny/channels/blocks.1.0/1-1.h5")
    assert run.returncode == 0, run.stderr
    with h5py.File(sweep / "results/tiny/channels/blocks.1.0/1-1.h5") as one:
        alone = one["pictures/noise/picture"][0]
    with h5py.File(sweep / "three.h5") as three:
        together = three["pictures/noise/picture"][1]
    assert np.array_equal(alone, together), "the same machine gives the same bits, whatever the batch"


def test_the_readmes_example_reads_real_results(finished, monkeypatch, tmp_path):
    (tmp_path / "results").symlink_to(finished / "results")
    monkeypatch.chdir(tmp_path)
    (stored,) = (finished / "results/tiny/activations").glob("*.h5")
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    code = code.replace("lite0", "tiny").replace("blocks.4", "blocks.1.0").replace("0-11.h5", stored.name)
    exec(compile(code.replace("unit = 7", "unit = 1"), "README.md", "exec"), {})
    assert images.read(tmp_path / "unit.png").std() > 10


MISTAKES = {
    "an unknown key": ({"chanels": {}}, {}, r"chanels.*nearest.*channels"),
    "an unknown key of a section": ({"channels": {"step": 4}}, {}, r"channels.*step.*nearest.*steps"),
    "a wrong type": ({"channels": {"steps": "many"}}, {}, r"channels\.steps must be"),
    "an unknown layer": ({"layers": ["blocks.1.O"]}, {}, r"blocks\.1\.O.*nearest.*blocks\.1\.0"),
    "a channel out of range": ({"channels": {"channels": [9999], "steps": 1}}, {}, r"channel 9999 is out of range"),
    "an unknown model": (
        {},
        {"models": "id\ttimm_name\tweights\na\ttest_eficientnet\trandom:1\n"},
        r"nearest.*test_efficientnet",
    ),
    "pretrained without network": (
        {},
        {"models": "id\ttimm_name\tweights\na\ttest_efficientnet\tpretrained\n"},
        r"could not be had.*file:PATH",
    ),
    "an image that is not there": ({}, {"images": "id\tpath\na\tnowhere.png\n"}, r"images.*line 2.*nowhere\.png"),
    "two images of one id": (
        {},
        {"images": "id\tpath\na\tpackage:skimage/data/coffee.png\na\tpackage:skimage/data/chelsea.png\n"},
        r"'a'.*(twice|again|already)",
    ),
}


@pytest.mark.parametrize(("changes", "sheets", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_sentence_and_status_1(monkeypatch, tmp_path, changes, sheets, sentence):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # whatever the network and the cache of this machine have
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    write_sweep(tmp_path, {**CONFIG, **changes}, **sheets, speed=SPEED)
    run = snakemake(tmp_path)
    assert run.returncode == 1
    said = run.stdout + run.stderr
    assert re.search(sentence, said), said
    assert "Traceback" not in said
    assert not list((tmp_path / "results").glob("*/channels")), "nothing was computed"


def test_a_file_in_the_place_of_results_gets_one_sentence_and_status_1(tmp_path):
    write_sweep(tmp_path, CONFIG)
    (tmp_path / "results").write_text("mine")
    run = snakemake(tmp_path, "--dry-run")
    assert run.returncode == 1
    assert re.search(r"konvolut: .*/results is a file, and results need a folder there", run.stderr), run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_result_of_no_model_is_asked_for_in_vain_without_a_traceback(tmp_path):
    write_sweep(tmp_path, CONFIG | {name: {} for name in ("classes", "fooling")})
    run = snakemake(tmp_path, "--dry-run", "--", "results/nomodel/layers.csv")
    assert run.returncode == 1
    assert "No rule to produce results/nomodel/layers.csv" in run.stdout + run.stderr
    assert "KeyError" not in run.stdout + run.stderr


def test_a_photograph_that_is_cut_off_ends_the_run_or_is_left_out_and_listed(tmp_path):
    import skimage

    whole = (Path(skimage.__file__).parent / "data/coffee.png").read_bytes()
    write_sweep(
        tmp_path,
        CONFIG
        | {"layers": LAYERS[:1], "dreams": {"images": []}, "fooling": {}, "inversion": {}, "patches": {}, "atlas": {}}
        | {name: {} for name in ("neuron", "negative", "diversity", "maco")}
        | {"layer_dreams": {}, "accentuation": {}, "caricature": {}, "classes": {}},
        images="id\tpath\ncut <b>\tcut.png\ncat\tpackage:skimage/data/chelsea.png\n",
    )
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    run = snakemake(tmp_path)
    assert run.returncode == 1
    assert re.search(r"konvolut: image 'cut <b>': .*cannot be decoded.*images_on_error: skip", run.stderr)
    assert not (tmp_path / "results").exists(), "before the first job"
    change(tmp_path, images_on_error="skip")
    assert snakemake(tmp_path).returncode == 0
    about = (tmp_path / "results/atlas/about.html").read_text()
    assert "Left out: image &#39;cut &lt;b&gt;&#39;: its file" in about
    listed = (tmp_path / "results/atlas/images/index.html").read_text()
    assert "1 photograph could not be read" in listed
    assert "image &#39;cut &lt;b&gt;&#39;: its file" in listed
    assert str(tmp_path) not in about


def test_weights_that_do_not_fit_are_named(tmp_path):
    import torch

    torch.save({"conv_stem.weight": torch.zeros(3)}, tmp_path / "weights.pth")
    models = "id\ttimm_name\tweights\na\ttest_efficientnet\tfile:weights.pth\n"
    write_sweep(tmp_path, CONFIG, models, speed=SPEED)
    run = snakemake(tmp_path)
    assert run.returncode == 1
    assert "the weights do not fit the model" in run.stdout + run.stderr


def test_a_full_disk_is_named_and_nothing_finished_is_lost(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here (needs root)")
    try:
        write_sweep(tmp_path / "sweep", LITTLE | {"layers": LAYERS[:1]}, speed=SPEED)
        (disk / "results").mkdir()
        (tmp_path / "sweep/results/tiny").symlink_to(disk / "results")
        run = snakemake(tmp_path / "sweep")
        assert run.returncode == 1
        assert "free some space and run the same command" in run.stdout + run.stderr
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        run = snakemake(tmp_path / "sweep")
        assert run.returncode == 0, run.stderr
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
