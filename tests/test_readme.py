"""The README tells the truth: its commands run, its tree is the tree, its numbers are filled in."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from konvolut.asked import settings, sheets
from konvolut.pictures import images
from konvolut.results import store
from konvolut.techniques import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# Commands that whole files of tests are about, or CI itself; `make` with anything else is run here.
RUN_ELSEWHERE = {"make atlas": "tests/test_default_atlas.py", "make test": ".ci/run"}
# An editor wants a reader; the benchmark takes minutes and its numbers stand beside it.
RUN_BY_HAND = ("$EDITOR", ".venv/bin/python benchmarks/default_atlas.py")
# What a command needs to be run on a tiny sweep, and what it says there.
SAID = {
    "make plan ARGS='--configfile config/config.yaml config/imagenet.yaml'": ("--dry-run", "inspect"),
    "make progress": ("", "100 %"),
    "make verify": ("", "no problems"),
    "make stale": ("", "0 files and folders"),
    "make atlas ARGS=--dry-run": ("", "Nothing to be done"),
    "make atlas-now": ("", "/results/atlas-now/index.html"),
    "snakemake --report report.html": ("", "Report created"),
}


def commands() -> list[str]:
    """Every command line of the README's sh blocks, without comments, and those between its words."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:make|snakemake|\.venv/bin/\w+) [^`]+)`", README)
    return list(dict.fromkeys([*(line for line in lines if line and not line.startswith("#")), *inline]))


def test_every_command_is_run_by_somebody():
    by_test_store = "HDF5_PLUGIN_PATH=$("
    known = (*RUN_ELSEWHERE, *SAID, ".venv/bin/snakemake", ".venv/bin/pip install -r requirements-slurm.txt")
    left = [line for line in commands() if line not in known and not line.startswith(".venv/bin/snakemake")]
    assert [line for line in left if not line.startswith((*RUN_BY_HAND, by_test_store))] == []
    assert [line for line in SAID if line not in commands()] == [], "not in the README any more"
    for line, file in RUN_ELSEWHERE.items():
        assert any(words in (ROOT / file).read_text() for words in (line, json.dumps(line.split()))), line


@pytest.mark.parametrize("line", SAID)
def test_a_command_does_on_a_tiny_sweep_what_it_is_said_to(line, sweep):
    """In a folder that looks like a checkout in which the sweep has run; its set-up (.venv) is that of the checkout."""
    for name in ("Makefile", "Snakefile", "workflow", "scripts"):
        (sweep / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "config", sweep / "config")
    if "--configfile" not in line:
        shutil.copy(sweep / "config.yaml", sweep / "config/config.yaml")
    (sweep / "imagenet/val").mkdir(parents=True)
    images.write_png(sweep / "imagenet/val/a.png", np.zeros((32, 32, 3), np.uint8))
    more, said = SAID[line]
    words = shlex.split(line)
    if words[0] == "make":
        words = [f"{word} {more}".strip() if word.startswith("ARGS=") else word for word in words]
        profile = "--workflow-profile config/profiles/local"
        words += ["-o", ".venv/ready", f"BIN={Path(sys.executable).parent}"]
        words += [f"SNAKEMAKE={sys.executable} -m snakemake {profile}"]  # the Python that has made the sweep
    else:
        words = [sys.executable, "-m", *words]
    run = subprocess.run(words, cwd=sweep, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert said in run.stdout + run.stderr


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith(".venv/bin/snakemake")])
def test_a_snakemake_command_plans_a_run(line, tmp_path):
    if "profiles/slurm" in line and not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the Slurm executor plugin is not installed: the README's Slurm command was not planned")
    (tmp_path / "config").symlink_to(ROOT / "config")
    words = [sys.executable, "-m", "snakemake", *shlex.split(line)[1:]]
    words += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path), "--dry-run"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "plan" in run.stdout + run.stderr


def test_the_packages_for_slurm_can_be_installed_beside_the_others():
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the Slurm executor plugin is not installed, and its package is not fetched for a test")
    assert ".venv/bin/pip install -r requirements-slurm.txt" in commands()
    words = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "-r", "requirements-slurm.txt"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Would install" not in run.stdout


def test_the_packages_for_slurm_are_the_tested_ones():
    wanted = [line for line in (ROOT / "requirements-slurm.txt").read_text().splitlines() if "==" in line]
    assert set(wanted) <= set((ROOT / "requirements-dev.txt").read_text().splitlines())


def test_the_tree_names_every_module_rule_and_script():
    tree = README.split("## The tree")[1]
    files = [path for path in (ROOT / "workflow/konvolut").rglob("*.py") if path.name != "__init__.py"]
    assert sorted(path.name for path in files if path.name not in tree) == []
    assert sorted(path.parent.name for path in files if f"{path.parent.name}/" not in tree) == []


def test_the_sheet_and_the_configuration_of_a_model_of_ones_own_are_read(tmp_path):
    """Columns of the README are two or more spaces apart; those of a sheet are separated by tabs."""
    chapter = README.split("## Your own model")[1].split("## ")[0]
    sheet = re.search(r"```\n(id .*?)```", chapter, re.DOTALL)[1]
    (tmp_path / "my").mkdir()
    (tmp_path / "my/weights.pth").write_bytes(b"x")
    (tmp_path / "my/classes.txt").write_text("".join(f"breed {number}\n" for number in range(37)))
    (tmp_path / "models.tsv").write_text(re.sub(r" {2,}", "\t", sheet))
    for name in ("astronaut", "cats/tabby"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        images.write_png(tmp_path / f"{name}.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "images.tsv").write_text("id\tpath\nastronaut\tastronaut.png\ncats\tcats\n")
    mine, untrained = sheets.read_models(tmp_path, "models.tsv")
    assert (mine.weights_path, dict(mine.options)["num_classes"]) == (tmp_path / "my/weights.pth", 37)
    assert (len(mine.class_names), dict(mine.options)["mean"]) == (37, 0.5)
    assert (untrained.weights, untrained.options) == ("random:0", ())
    config = yaml.safe_load(re.search(r"```yaml\n(.*?)```", chapter, re.DOTALL)[1])
    read = settings.load({**config, "models": "models.tsv", "images": "images.tsv"}, tmp_path)
    assert read.dreams.images == ("astronaut", "cats/tabby")
    assert read.channels.recipe.name == "lucid"


def test_nothing_is_left_to_fill_in():
    assert "@@" not in README


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_the_three_lists_of_packages_agree():
    pinned = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+(; [a-z_]+ != .+)?", line) for line in pinned)
    pip = yaml.safe_load((ROOT / "workflow/envs/konvolut.yaml").read_text())["dependencies"][-1]["pip"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert pip == [line for line in lines if line and not line.startswith("#")]
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text()


def test_the_example_reads_activations_and_plots_them(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the README's plot was not drawn")
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    keys, count = [f"photo {number}" for number in range(12)], 12
    maps = np.random.default_rng(0).random((count, 9, 6, 6)).astype(np.float16)
    pooled = maps.max((2, 3)).astype(np.float32)
    layer = store.LayerActivations(maps, pooled, pooled, np.zeros((count, 9, 2), np.int32))
    blank = np.zeros((count, 4), np.float32)
    content = store.Activations(keys, keys, blank, blank, blank, [["x"] * 4] * count, {"blocks.4": layer}, keys)
    shard, joined = (tmp_path / f"results/lite0/activations{name}.h5" for name in ("/0-11", ""))
    store.write_activations(shard, content, {}, "none")
    store.write_joined(joined, [shard], {})
    environment = os.environ | {"MPLBACKEND": "Agg"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert images.read(tmp_path / "unit.png").std() > 10


def test_the_columns_of_the_table_of_units_are_explained():
    text = (ROOT / "results" / "README.md").read_text().split("## units.csv")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    explained = {name.strip("`"): meaning for names, meaning in rows for name in names.split(", ")}
    assert explained == table.COLUMNS
