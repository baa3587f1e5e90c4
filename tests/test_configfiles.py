"""Configuration files are read strictly: a key stands once, and what is no YAML is told with its line."""

import re
import subprocess
import sys

import pytest
import yaml

from konvolut.asked import configfiles, settings
from konvolut.errors import UserError
from tiny_sweep import CONFIG, ROOT, snakemake, write_sweep

GOOD = {
    "JSON": '{"seed": 3, "channels": {"steps": 4}}',
    "a mark and Windows' ends": "\ufeffseed: 3\r\nchannels:\r\n  steps: 4\r\n",
    "a key in two sections": "channels: {steps: 4}\ndreams: {steps: 4}\n",
    "a key in two items of a list": "a: [{b: 1}, {b: 2}]\n",
    "a number and its text": "1: a\n'1': b\n",
    "an alias": "channels: &own {steps: 4}\nneuron: *own\nnegative: {<<: *own, steps: 5}\n",
    "nothing": "",
    "a comment": "# nothing yet\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_has_every_key_once_is_read_as_yaml_reads_it(tmp_path, text):
    (tmp_path / "config.yaml").write_bytes(text.encode())
    assert configfiles.read(tmp_path / "config.yaml") == (yaml.safe_load(text.lstrip("\ufeff")) or {})


BAD = {
    "seed: 1\nlayers: [auto]\nseed: 2\n": r"config: seed stands twice in .*c\.yaml, on the lines 1 and 3: leave one",
    "channels:\n  steps: 1\n\n  steps: 1\n": r"config: channels\.steps stands twice in .*, on the lines 2 and 4",
    "channels: {}\n# more\nchannels:\n  steps: 4\n": r"config: channels stands twice in .*, on the lines 1 and 3",
    '{"seed": 1,\n "seed": 2}': r"config: seed stands twice in .*, on the lines 1 and 2",
    "a: [{b: 1, b: 2}]": r"config: a\.b stands twice in .*, on the lines 1 and 1",
    "seed: 1\n\tlayers: auto\n": r"c\.yaml is no YAML: line 2: ",
    "layers: [auto\nseed: 1\n": r"c\.yaml is no YAML: line 2: ",
    "title: 2026-99-99\n": r"c\.yaml is no YAML: month must be in 1\.\.12",
    "- seed\n": r"must hold keys and their values, not a list",
    "seed": r"must hold keys and their values, not a str",
}


@pytest.mark.parametrize(("text", "sentence"), BAD.items(), ids=map(repr, BAD))
def test_a_key_that_stands_twice_or_what_is_no_yaml_is_told_with_its_line(tmp_path, text, sentence):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=sentence) as error:
        configfiles.read(tmp_path / "c.yaml")
    assert "\n" not in str(error.value)


def test_a_configuration_that_is_no_text_or_not_there_is_named(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"title: Zo\xeb\n")
    with pytest.raises(UserError, match=r"c\.yaml is no UTF-8 text"):
        configfiles.read(tmp_path / "c.yaml")
    with pytest.raises(UserError, match=r"gone\.yaml cannot be read \(No such file"):
        settings.load_files([tmp_path / "gone.yaml"])


def test_a_mapping_that_holds_itself_is_looked_at_once(tmp_path):
    (tmp_path / "c.yaml").write_text("a: &a {b: *a}\n")
    assert list(configfiles.read(tmp_path / "c.yaml")) == ["a"]


@pytest.mark.parametrize("name", ["config.yaml", "everything.yaml", "imagenet.yaml"])
def test_the_configurations_of_the_project_have_every_key_once(name):
    assert configfiles.read(ROOT / "config" / name)


def test_a_run_whose_configuration_has_a_section_twice_ends_before_its_first_job(tmp_path):
    write_sweep(tmp_path, CONFIG)
    with open(tmp_path / "config.yaml", "a") as file:
        file.write("channels: {channels: all}\n")
    run = snakemake(tmp_path)
    assert run.returncode == 1
    assert re.search(
        r"^konvolut: config: channels stands twice in .*config\.yaml, on the lines", run.stderr, re.MULTILINE
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"seed: 1\n\tlayers: [auto]\n", r"config/config\.yaml is no YAML: line 2: "),
        (b"atlas: {title: Zo\xeb}\n", r"config/config\.yaml is no UTF-8 text"),
        (b"- seed\n", r"config/config\.yaml must hold keys and their values"),
    ],
    ids=["a tab", "Latin 1", "a list"],
)
def test_a_configuration_of_the_project_that_snakemake_cannot_read_is_named(tmp_path, text, sentence):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_bytes(text)
    words = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path, "-n"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert re.search(f"^konvolut: .*{sentence}", run.stderr, re.MULTILINE), run.stderr
    assert "Traceback" not in run.stdout + run.stderr
