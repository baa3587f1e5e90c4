"""What a job is told of photographs: rows of a table and a digest, however many there are."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from konvolut.asked import as_json, chosen, plan, settings, shards, survey, sweep
from konvolut.asked.sections import AtlasSettings
from konvolut.asked.sheets import Photograph
from konvolut.errors import UserError
from tiny_sweep import CONFIG, write_sweep

MANY = 50_000


def photographs(count: int) -> tuple[Photograph, ...]:
    return tuple(
        Photograph(f"a b/{number}", f"k{number}", f'here/"{number}".png', "here", f"é {number}", "", "me")
        for number in range(count)
    )


@pytest.fixture
def table(tmp_path, monkeypatch):
    """photographs.tsv of ten photographs, the third of which cannot be read."""
    monkeypatch.setattr(survey.images, "check", lambda path: refuse() if "2" in path else (4, 6))
    survey.write_survey(survey.survey(photographs(10), "skip"), tmp_path / "photographs.tsv")
    return tmp_path / "photographs.tsv"


def refuse():
    raise UserError("no picture")


def readable() -> chosen.Photographs:
    rows = [row for row in range(10) if row != 2]
    return chosen.Photographs([photographs(10)[row] for row in rows], rows)


def shard_of(some: chosen.Photographs) -> str:
    return as_json.to_json(shards.AtlasShard((), AtlasSettings(), 9), photographs=some.told())


def test_a_job_finds_its_photographs_in_the_table(table):
    for some in (readable(), readable().between(1, 3), readable().only(("a b/7", "a b/0"))):
        found = chosen.from_json(shards.AtlasShard, shard_of(some), table)
        assert found == shards.AtlasShard(some.photographs, AtlasSettings(), 9)
    assert [one.id for one in readable().between(1, 3).photographs] == ["a b/1", "a b/3", "a b/4"]
    assert [one.id for one in readable().only(("a b/7", "a b/0")).photographs] == ["a b/0", "a b/7"]


def test_a_table_of_other_photographs_is_refused(table):
    text = shard_of(readable().between(1, 3))
    table.write_text(table.read_text().replace("é 4", "è 4"))
    with pytest.raises(UserError, match="holds other photographs than this job was planned for"):
        chosen.from_json(shards.AtlasShard, text, table)


def test_the_digest_is_that_of_a_jobs_own_photographs():
    changed = list(photographs(10))
    changed[5] = dataclasses.replace(changed[5], label="other")
    before, after = (chosen.Photographs(some, range(10)) for some in (photographs(10), changed))
    assert before.between(0, 4).told() == after.between(0, 4).told()
    assert before.between(5, 9).told() != after.between(5, 9).told()
    assert before.told() == chosen.Photographs(photographs(10), range(10)).told()


def test_no_job_of_a_sweep_of_many_photographs_is_told_much(tmp_path, monkeypatch):
    """Pages, activations and dreams of 50,000 photographs: each job's parameters fit on a screen."""
    write_sweep(tmp_path, CONFIG)
    monkeypatch.chdir(tmp_path)
    wanted = settings.load(CONFIG, tmp_path)
    wanted = dataclasses.replace(wanted, images=photographs(MANY))
    pd_table = survey.pd.DataFrame([dataclasses.asdict(one) | {"problem": ""} for one in wanted.images])
    survey.write_survey(pd_table, tmp_path / "photographs.tsv")
    rows = [("atlas", "tiny", "conv_stem", 0, 0, ""), ("channels", "tiny", "conv_stem", 0, 3, "0-3")]
    survey.pd.DataFrame(rows, columns=plan.COLUMNS[:6]).to_csv(tmp_path / "plan.tsv", sep="\t", index=False)
    paths = SimpleNamespace(plan=tmp_path / "plan.tsv", photographs=tmp_path / "photographs.tsv")
    asked = sweep.Sweep(wanted, lambda: paths)
    page = asked.told.atlas(SimpleNamespace(model="tiny", layer="conv_stem"))
    some = asked.told.shard("activations")(SimpleNamespace(model="tiny", first="512", last="1023"))
    dreams = asked.told.shard("channels")(SimpleNamespace(model="tiny", layer="conv_stem", first="0", last="3"))
    assert max(map(len, (page, some, dreams))) < 2000
    assert json.loads(page)["photographs"]["rows"] == f"0-{MANY - 1}"
    assert json.loads(some)["photographs"]["rows"] == "512-1023"
    assert json.loads(dreams)["channels"] == [0, 1, 2, 3]
