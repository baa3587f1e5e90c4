"""The workflow is the same from the root, from workflow/ (the catalog's place) and as a module of another one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from konvolut.folder import take
from tiny_sweep import LITTLE, ROOT, write_sweep

MODULE = f"""
configfile: "config.yaml"
module konvolut:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: config
use rule * from konvolut
rule report:
    input: "results/atlas/index.html"
    output: "report.txt"
    shell: "cp {{input}} {{output}}"
"""


def jobs_of(snakefile: Path, folder: Path, *targets: str) -> dict[str, int]:
    """Jobs that a dry run would do."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--directory", folder, "--cores", "1"]
    words += ["--configfile", folder / "config.yaml", "--dry-run", "--quiet", "host", "reason", "--", *targets]
    run = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr + run.stdout
    return dict(re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, flags=re.MULTILINE))


@pytest.fixture
def folder(tmp_path):
    write_sweep(tmp_path, LITTLE)
    return tmp_path


def test_the_catalogs_snakefile_does_the_same_as_the_one_at_the_root(folder):
    found = jobs_of(ROOT / "Snakefile", folder)
    assert {"inspect", "plan", "atlas"} <= set(found)
    assert jobs_of(ROOT / "workflow/Snakefile", folder) == found


def test_single_files_can_be_asked_for_before_there_is_a_plan(folder):
    shards = ["activations/0-2", "channels/conv_stem/0-3", "dreams/conv_stem/1-1", "saliency/0-2", "trust"]
    found = jobs_of(ROOT / "Snakefile", folder, *(f"results/tiny/{name}.h5" for name in shards))
    assert {"plan", "activations", "channels", "dreams", "saliency", "trust"} <= set(found)


def test_another_workflow_uses_it_as_a_module(folder):
    (folder / "Snakefile").write_text(MODULE)
    found = jobs_of(folder / "Snakefile", folder, "report.txt")
    assert {"report", "inspect", "plan", "atlas"} <= set(found)


@pytest.mark.parametrize("hook", ["before", "after"])
def test_as_a_module_it_takes_the_folder_too_and_the_other_workflows_hooks_are_called(folder, hook):
    own = "onstart:\n    print('THEIRS BEGINS')\nonsuccess:\n    print('THEIRS ENDS')\n"
    (folder / "Snakefile").write_text(own + MODULE if hook == "before" else MODULE + own)
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--", "results/tiny/layers.csv"]
    (folder / ".snakemake").mkdir()
    lock = take(folder / ".snakemake/konvolut.lock")
    refused = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    os.close(lock)
    assert refused.returncode == 1
    assert "konvolut: another run is at work in" in refused.stderr
    assert not (folder / "results/tiny").exists()
    allowed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert allowed.returncode == 0, allowed.stderr
    assert re.findall(r"^THEIRS \w+$", allowed.stdout, flags=re.MULTILINE) == ["THEIRS BEGINS", "THEIRS ENDS"]
    assert "process" in (folder / ".snakemake/konvolut.lock").read_text()


def test_the_catalog_finds_what_it_wants():
    told = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert set(told["usage"]) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert told["usage"]["software-stack-deployment"]["conda"] is True
    for name in ("workflow/Snakefile", "config/README.md", "config/config.yaml", "README.md", "LICENSE"):
        assert (ROOT / name).exists(), name


def test_every_rule_names_the_conda_environment():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        rules = re.findall(r"^(?:rule|checkpoint) ", text, flags=re.MULTILINE)
        assert text.count('"../envs/konvolut.yaml"') == len(rules), path.name
