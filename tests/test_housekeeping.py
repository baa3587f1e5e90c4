"""A sweep seen from outside: how far it is, whether its files are whole and its own, and what belongs to none of it."""

import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from konvolut import folder
from konvolut.__main__ import main
from konvolut.asked import plan, settings, survey
from konvolut.asked.costs import Speed, write_speed
from konvolut.asked.outputs import log_of, planned_files
from konvolut.provenance import code_digest
from konvolut.results import checks, part, progress, store
from konvolut.results.contents import Pictures, rows_of
from tiny_sweep import change

ROOT = Path(__file__).parents[1]
SPEED = Speed("cpu", per_gflop=1.0, per_mcell=0.0, start=0.0)
WANTED = settings.load({}, ROOT)
RECIPE = {"name": "konvolut", "steps": WANTED.channels.recipe.steps, "learning_rate": 99.0}
PASSPORT = {
    "weights_sha256": "a" * 64,
    "code": code_digest("techniques.channels"),
    "seed": WANTED.seed,
    "recipe": RECIPE,
}


def pictures(count=4):
    noise = np.random.default_rng(0)
    return Pictures(
        channel=np.arange(count, dtype=np.int32),
        picture=noise.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8),
        step=np.array([1], np.int32),
        intermediate=noise.integers(0, 256, (count, 1, 32, 32, 3), dtype=np.uint8),
        curve=np.zeros((count, 3), np.float32),
        activation=np.zeros((count, 4), np.float32),
        attempt=np.zeros(count, np.int32),
    )


@pytest.fixture
def results(tmp_path):
    """Four shards of one layer: finished, at work, failed, waiting; and the page of the layer."""
    rows = [("channels", "tiny", "blocks.1", first, first + 3, f"{first}-{first + 3}", 4) for first in (0, 4, 8, 12)]
    rows.append(("atlas", "tiny", "blocks.1", 0, 0, "", 0))
    table = pd.DataFrame(rows, columns=plan.COLUMNS[:7]).assign(passes=1, gflop=10.0, mcells=0.0, mb=1.0)
    results = tmp_path / "results"
    (results / "tiny").mkdir(parents=True)
    table.assign(runtime=20, mem_mb=1000).to_csv(results / "plan.tsv", sep="\t", index=False)
    (results / "tiny/layers.csv").write_text("layer,channels\nblocks.1,16\n")
    survey.write_survey(pd.DataFrame(columns=survey.COLUMNS), results / "photographs.tsv")
    write_speed(SPEED, results / "calibration.tsv")
    (results / "tiny/model.json").write_text(json.dumps({"weights_sha256": "a" * 64}))
    store.write_pictures(planned_files(table, results)[0], "channels", {"noise": pictures()}, PASSPORT)
    (results / "atlas/tiny/blocks.1").mkdir(parents=True)
    for name in ("index.html", "tiny/index.html", "tiny/blocks.1.html", "tiny/blocks.1/sprite.webp", "compare.html"):
        (results / "atlas" / name).touch()
    for number, text in ((1, "  channels tiny: 3/4 done, 9 s"), (2, "  channels tiny: failed: no space; free some")):
        log = log_of(table.to_dict("records")[number], results)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"konvolut\n{text}\n")
    return results


@pytest.fixture
def planned(results):
    return plan.read_plan(results / "plan.tsv")


def test_progress_counts_units_in_files_and_in_the_logs_of_jobs_at_work(results, planned):
    with log_of(planned.to_dict("records")[1], results).open() as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        table = progress.states(planned, results)
    assert list(table["state"]) == ["finished", "running", "failed", "waiting", "finished"]
    assert list(table["done"]) == [4, 3, 0, 0, 0]
    now = time.time()
    said = progress.in_words(table, SPEED, now - 70, now)
    assert "7 of 16 units (44 %), 6.0 a minute" in said
    # 17.5 of 40 s of work are done after 70 s: 22.5 s of work, at that pace, take a minute and a half.
    assert "about 2 min left" in said
    assert "channels tiny blocks.1 8-11: channels tiny: failed: no space; free some" in said


def test_a_job_that_died_without_a_word_is_failed_too(results, planned):
    table = progress.states(planned, results)
    assert table["state"][1] == "failed"
    assert "killed" in table["reason"][1]


def test_whole_files_of_this_configuration_have_no_problems(results, planned):
    assert list(checks.problems(WANTED, planned.iloc[[0]], results)) == []


def test_missing_and_damaged_files_are_told(results, planned):
    path = planned_files(planned, results)[0]
    content = bytearray(path.read_bytes())
    place = content.find(pictures().picture[:1].tobytes()[:4])
    content[place if place > 0 else len(content) // 2] ^= 255
    path.write_bytes(content)
    found = list(checks.problems(WANTED, planned.iloc[[0, 3]], results))
    assert "damaged" in found[0]
    assert "12-15.h5 is missing" in found[1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weights_sha256": "b" * 64}, "another weights_sha256"),
        ({"code": "older"}, "another code: older"),
        ({"seed": 5}, "another seed: 5, not 0"),
        ({"recipe": RECIPE | {"steps": 7}}, "recipe.steps = 7, not"),
        ({"recipe": RECIPE | {"learning_rate": 7.0}}, None),
    ],
)
def test_passports_are_held_against_the_configuration(results, planned, change, sentence):
    store.write_pictures(planned_files(planned, results)[0], "channels", {"noise": pictures()}, PASSPORT | change)
    found = list(checks.problems(WANTED, planned.iloc[[0]], results))
    assert (sentence in found[0]) if sentence else found == []


def cut(path: Path) -> None:
    """What a disk that was full leaves: the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def behead(path: Path) -> None:
    """A table loses all but its first row."""
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))


def swap(path: Path) -> None:
    """A whole file of fewer units takes its place."""
    held = rows_of(list(store.read_pictures(path).values()), slice(0, 2))
    store.write_pictures(path, "channels", {"noise": held}, store.read_passport(path))


WITH_SHARDS = ["activations/0-2", "channels/conv_stem/0-2", "dreams/conv_stem/1-1", "saliency/0-2", "classes/0-0"]
WITH_SHARDS += ["inversion/blocks.1.0/0-0", "fooling/1-1", "patches/0-0", "kernels"]
DAMAGES = [
    ("photographs.tsv", Path.unlink, "photographs.tsv is missing"),
    ("calibration.tsv", cut, "calibration.tsv: damaged"),
    ("priors.h5", cut, "priors.h5: damaged"),
    ("tiny/layers.csv", Path.unlink, "layers.csv is missing"),
    ("tiny/model.json", Path.unlink, "model.json is missing"),
    ("tiny/model.json", cut, "model.json: damaged"),
    ("tiny/units.csv", Path.unlink, "units.csv is missing"),
    ("tiny/units.csv", cut, "units.csv: damaged (ends in mid-line)"),
    ("tiny/units.csv", behead, "units.csv lacks layer blocks.1.0"),
    ("tiny/examples.h5", Path.unlink, "examples.h5 is missing"),
    ("tiny/examples.h5", cut, "examples.h5: damaged"),
    *((f"tiny/{name}.h5", cut, f"{name}.h5: damaged") for name in WITH_SHARDS),
    ("tiny/channels/conv_stem/0-2.h5", swap, "0-2.h5: lacks channel 2; delete it"),
    ("atlas/tiny/conv_stem.html", cut, "conv_stem.html ends too early"),
    ("atlas/tiny/conv_stem", shutil.rmtree, "conv_stem is missing"),
]


def problems_of(sweep: Path, capsys, monkeypatch) -> list[str]:
    """What the command says in the folder of a sweep."""
    monkeypatch.chdir(sweep)
    monkeypatch.setattr(sys, "argv", ["konvolut", "verify", "--configfile", "config.yaml"])
    status = main()
    *found, total = capsys.readouterr().out.splitlines()
    assert status == int(bool(found))
    assert f"{len(found) or 'no'} problem" in total
    return found


def test_a_finished_sweep_has_no_problems_and_nothing_in_it_is_a_stranger(finished, capsys, monkeypatch):
    assert problems_of(finished, capsys, monkeypatch) == []
    assert checks.stale(plan.read_plan(finished / "results/plan.tsv"), finished / "results") == []


@pytest.mark.parametrize(("name", "damage", "sentence"), DAMAGES, ids=lambda part: getattr(part, "__name__", part))
def test_each_kind_of_file_that_is_gone_damaged_or_incomplete_is_told(
    sweep, name, damage, sentence, capsys, monkeypatch
):
    damage(sweep / "results" / name)
    found = problems_of(sweep, capsys, monkeypatch)
    assert [line for line in found if sentence in line and line.startswith(f"results/{name}")], found


def test_a_picture_of_the_atlas_that_is_cut_off_is_told(sweep, capsys, monkeypatch):
    picture = next((sweep / "results/atlas/tiny/conv_stem").glob("*.webp"))
    cut(picture)
    (found,) = problems_of(sweep, capsys, monkeypatch)
    assert found.startswith(f"results/atlas/tiny/conv_stem/{picture.name}: damaged")


def test_results_of_other_settings_or_another_photograph_are_told(sweep, capsys, monkeypatch):
    change(sweep, saliency={"methods": ["vanilla"]}, fooling={"steps": 4}, channels={"channels": "first:3", "steps": 5})
    found = "\n".join(problems_of(sweep, capsys, monkeypatch))
    assert "saliency/0-2.h5: made with another methods: ['vanilla', 'positive', 'negative'], not ['vanilla']" in found
    assert "fooling/0-0.h5: made with another steps: 3, not 4" in found
    assert "channels/conv_stem/0-2.h5: made with recipe.steps = 4, not 5" in found
    assert "dreams" not in found


def test_results_of_a_photograph_that_has_changed_since_are_told(sweep, capsys, monkeypatch):
    sheet = (
        (sweep / "images.tsv").read_text().replace("package:skimage/data/coffee.png", "package:skimage/data/cell.png")
    )
    (sweep / "images.tsv").write_text(sheet)
    found = problems_of(sweep, capsys, monkeypatch)
    assert "results/tiny/dreams/conv_stem/1-1.h5: made of another photograph coffee" in found
    assert not [line for line in found if "patches" in line], "which is of another photograph"


def test_what_belongs_to_nothing_is_listed_and_can_be_deleted(results, planned):
    assert checks.stale(planned, results) == []
    strangers = ["gone", "tiny/channels/blocks.2", "tiny/channels/blocks.1/0-99.h5", "atlas/gone"]
    strangers += ["atlas/tiny/blocks.2", "atlas/tiny/blocks.2.html", "tiny/channels/blocks.1/0-3.h5.tmp"]
    for name in strangers:
        path = results / name
        if path.suffix in (".h5", ".html", ".tmp"):
            path.write_bytes(b"12345")
        else:
            (path / "deep").mkdir(parents=True)
            (path / "deep/file").write_bytes(b"12345")
    found = checks.stale(planned, results)
    assert found == sorted(results / name for name in strangers)
    assert checks.delete(found) == 5 * len(strangers)
    assert checks.stale(planned, results) == []


def test_what_an_unfinished_job_and_a_look_at_it_left_is_no_stranger(results, planned):
    unfinished = planned_files(planned, results)[1]
    store.write_pictures(part.folder_of(unfinished) / "000002.h5", "channels", {"noise": pictures(2)}, PASSPORT)
    (results / "progress.txt").touch()
    assert checks.stale(planned, results) == []
    other = part.folder_of(unfinished.with_name("0-99.h5"))
    other.mkdir()
    assert checks.stale(planned, results) == [other], "of a job that nobody asks for any more"


@pytest.mark.parametrize(
    ("made", "is_it"),
    [
        ([["peaks", 1.0], ["distance@blocks.0", -3.0]], True),
        ([["peaks", 1.0], ["distance", -3.0]], True),
        ([["peaks", 1.0], ["distance@blocks.0", -1.0]], False),
        ([["mean", 1.0], ["distance@blocks.0", -3.0]], False),
        ([["peaks@blocks.0", 1.0], ["distance", -3.0]], False),
        ([["peaks", 1.0]], False),
        ([["peaks", 1.0], ["distance", -3.0], ["mean", 1.0]], False),
    ],
)
def test_the_layer_that_accentuation_chose_is_no_other_objective(results, planned, made, is_it):
    asked = dataclasses.replace(WANTED.channels.recipe, objective=(("peaks", 1.0), ("distance", -3.0)))
    wanted = dataclasses.replace(WANTED, channels=dataclasses.replace(WANTED.channels, recipe=asked))
    recipe = RECIPE | {"objective": made}
    path = planned_files(planned, results)[0]
    store.write_pictures(path, "channels", {"noise": pictures()}, PASSPORT | {"recipe": recipe})
    told = list(checks.problems(wanted, planned.iloc[[0]], results))
    assert told == [] if is_it else "another" in told[0] or "recipe.objective" in told[0]


def test_nothing_is_deleted_while_a_run_is_at_work(results, monkeypatch, capsys):
    monkeypatch.chdir(results.parent)
    monkeypatch.setattr(sys, "argv", ["konvolut", "stale", "--delete"])
    (results / "gone").touch()
    lock = folder.begin(results, [])
    assert main() == 1
    assert "another run is at work in" in capsys.readouterr().err
    assert (results / "gone").exists()
    os.close(lock)
    assert main() == 0
    assert not (results / "gone").exists()


ANSWERS = [("progress", 1, "failed"), ("verify", 1, "missing"), ("stale", 0, "0 files")]


@pytest.mark.parametrize(("what", "status", "said"), ANSWERS)
def test_the_commands_answer_in_the_folder_of_a_sweep(results, what, status, said):
    (results.parent / "config").symlink_to(ROOT / "config")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    run = subprocess.run(
        [sys.executable, "-m", "konvolut", what],
        cwd=results.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert said in run.stdout


def test_without_a_plan_the_commands_say_so(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    run = subprocess.run(
        [sys.executable, "-m", "konvolut", "progress"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "the run has not got as far as its plan" in run.stderr
