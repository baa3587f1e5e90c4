"""One truth: config/README.md, workflow/schemas/ and settings.py say the same about every key.

KONVOLUT_WRITE_SCHEMAS=1 pytest tests/test_docs.py writes the schemas anew from settings.py and config/README.md.
"""

import dataclasses
import functools
import json
import os
import re
from pathlib import Path

import pytest
import yaml

from konvolut.asked import kinds, settings, sheets
from konvolut.asked.keys import is_nullable, kinds_of
from konvolut.asked.recipes import Recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
SCHEMAS = ROOT / "workflow" / "schemas"
HEADER = "# For editors and people; messages come from settings.py. Written by tests/test_docs.py, see there.\n"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TOP = "The whole run"


def table_under(heading):
    """Cells of the first table below a heading of the README, a list per row, without the backticks of the key."""
    text = re.split(rf"^#+ {re.escape(heading)}$", README, flags=re.MULTILINE)[1]
    text = re.split(r"^#", text, flags=re.MULTILINE)[0]
    rows = [re.split(r"\s\|\s", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    return [[row[0].strip("`"), *row[1:]] for row in rows]


def keys_of(section):
    """The keys that a user may write in a section apart from the fields of its recipe, in order."""
    keys = list(kinds_of(settings.SECTIONS[section]))
    return [*keys, "recipe"] if section in settings.WITH_RECIPE else keys


def default_of(owner, key):
    """The default as YAML reads it."""
    section = settings.Settings if owner == TOP else settings.SECTIONS[owner]
    field = next(field for field in dataclasses.fields(section) if field.name == key)
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    if value == kinds.Channels("numbers"):
        return []
    if isinstance(value, kinds.Channels):
        return f"{value.kind}:{value.count}"
    value = value.name if isinstance(value, Recipe) else list(value) if isinstance(value, tuple) else value
    return value


# ---- config/README.md


def test_every_key_of_the_whole_run_is_explained():
    assert [row[0] for row in table_under(TOP)] == list(kinds_of(settings.Settings))


@pytest.mark.parametrize("section", settings.SECTIONS)
def test_every_key_of_a_section_is_explained(section):
    assert [row[0] for row in table_under(section)] == keys_of(section)


def test_every_field_of_a_recipe_is_explained():
    assert [row[0] for row in table_under("Recipes")] == [key for key in settings.recipe_kinds() if key != "recipe"]


@pytest.mark.parametrize("recipe", settings.recipe_kinds()["recipe"].schema["enum"])
def test_every_recipe_is_named(recipe):
    assert f"`{recipe}`" in README.split("## Recipes")[1]


@pytest.mark.parametrize("owner", [TOP, *settings.SECTIONS])
def test_the_explained_defaults_are_the_defaults(owner):
    for key, default, _ in table_under(owner):
        assert yaml.safe_load(default.strip("`")) == default_of(owner, key), f"{owner}.{key}"


@pytest.mark.parametrize(("sheet", "columns"), [("models", sheets.MODEL_COLUMNS), ("images", sheets.IMAGE_COLUMNS)])
def test_every_column_of_a_sheet_is_explained(sheet, columns):
    assert [row[0] for row in table_under(f"{sheet}.tsv")] == list(columns)


def test_the_default_configuration_is_loaded_and_has_every_section():
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert list(config)[-len(settings.SECTIONS) :] == list(settings.SECTIONS)
    assert settings.load(config, ROOT).images


# ---- workflow/schemas


def described(kind, meaning, default=None):
    said = {"default": yaml.safe_load(default)} if default is not None else {}
    return {"description": meaning.replace("`", ""), **kind.schema, **said}


def section_schema(section):
    meanings = {row[0]: row for row in table_under(section)}
    recipe = settings.recipe_kinds() if section in settings.WITH_RECIPE else {}
    known = kinds_of(settings.SECTIONS[section]) | recipe
    fields = {row[0]: row[1] for row in table_under("Recipes")}
    keys = {
        key: described(kind, fields[key])
        if key in fields
        else described(kind, meanings[key][2], meanings[key][1].strip("`"))
        for key, kind in known.items()
    }
    return {"type": ["object", "null"], "additionalProperties": False, "properties": keys}


@functools.cache
def config_schema():
    top = {row[0]: row for row in table_under(TOP)}
    general = kinds_of(settings.Settings).items()
    keys = {key: described(kind, top[key][2], top[key][1].strip("`")) for key, kind in general}
    keys |= {section: section_schema(section) for section in settings.SECTIONS}
    return {
        "$schema": DRAFT,
        "title": "config.yaml",
        "type": "object",
        "additionalProperties": False,
        "properties": keys,
    }


def sheet_schema(sheet, required):
    """A row of a sheet; Snakemake's and other validators take a table row by row."""
    columns = {
        row[0]: {"type": "string", "description": row[1].replace("`", "")} for row in table_under(f"{sheet}.tsv")
    }
    for name in required:
        columns[name]["minLength"] = 1
    rest = {"required": list(required), "additionalProperties": False, "properties": columns}
    return {"$schema": DRAFT, "title": f"a row of {sheet}.tsv", "type": "object", **rest}


EXPECTED = {
    "config": config_schema,
    "models": lambda: sheet_schema("models", sheets.MODEL_COLUMNS[:2]),
    "images": lambda: sheet_schema("images", ["path"]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_schema_says_what_the_settings_say(name):
    path = SCHEMAS / f"{name}.schema.yaml"
    expected = json.loads(json.dumps(EXPECTED[name]()))
    if os.environ.get("KONVOLUT_WRITE_SCHEMAS"):
        path.write_text(
            HEADER + yaml.safe_dump(expected, sort_keys=False, width=120, allow_unicode=True), encoding="utf-8"
        )
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == expected


def accepts(schema, value):
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def test_the_schema_accepts_the_default_configuration():
    assert accepts(config_schema(), yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8")))


VALUES = [None, True, 0, 3, -1, 1.5, "", "16", "all", "auto", "first:4", "first:0", "0-7", "cpu", [], [3], ["auto"], {}]
VALUES += [[["jitter", 8]], [["jitter"]], [["wobble", 3]], ["vanilla"], "gzip", "konvolut", [1, "2-5"], 10**7, [True]]
SECTION_KEYS = [(name, key) for name in settings.SECTIONS for key in section_schema(name)["properties"]]


@pytest.mark.parametrize(("section", "key"), SECTION_KEYS, ids=lambda part: part)
def test_the_schema_and_the_settings_accept_the_same_values(section, key):
    """But for ranges that run downwards, which a JSON schema cannot tell."""
    known = kinds_of(settings.SECTIONS[section]) | settings.recipe_kinds()
    for value in VALUES:
        by_settings = (value is None and is_nullable(known[key])) or known[key].read(value) is not None
        assert accepts(config_schema(), {section: {key: value}}) == by_settings, repr(value)
