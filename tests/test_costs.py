"""What work costs: passes by counting, FLOPs by the census, cuts that hold, and a report that adds up."""

import dataclasses
import functools
import itertools
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import yaml

from konvolut.asked import costs, cuts, loads, outputs, plan, reductions, report, settings, sweep
from konvolut.asked.built_in import named
from konvolut.asked.costs import Pass, Speed
from konvolut.asked.cuts import Load
from konvolut.results import checks
from konvolut.techniques import calibration

ROOT = Path(__file__).parents[1]
SEES_ALL = Pass(2.0, 10.0, 224, 500)
SEES_LITTLE = Pass(0.1, 1.0, 224, 11)
SPEED = Speed("cpu", 0.01, 0.002, 5.0, 0.1)


def census():
    rows = [
        ("stem", 8, 4, 4, 4, 1e9, ""),
        ("block.conv", 16, 2, 2, 8, 3e9, ""),
        ("block", 16, 2, 2, 8, 3e9, ""),
        ("head", 10, 0, 0, 16, 4e9, ""),
    ]
    columns = ["layer", "channels", "height", "width", "stride", "flops", "refused"]
    return pd.DataFrame(rows, columns=columns).assign(
        receptive_field_px=[3, 7, 7, 16], parameters=[1e6, 2e6, 2e6, 5e6], auto=True, same_as=""
    )


def test_a_pass_counts_the_cells_of_modules_without_children_up_to_the_layer():
    found = costs.passes_of(census())
    assert found["stem"] == Pass(2.0, 8 * 16 / 1e6, 16, 3, 32.0)
    assert found["block"].mcells == found["block.conv"].mcells == pytest.approx((8 * 16 + 16 * 4) / 1e6)
    assert found[""] == Pass(8.0, found["head"].mcells, 16, 16, 32.0)


def pixels_seen(recipe, side):
    """Pixels that a model sees on the way to one picture, step by step."""
    return sum((recipe.coarse_px if step < recipe.coarse_steps else side) ** 2 for step in range(recipe.steps))


@pytest.mark.parametrize("name", ["konvolut", "lucid", "lab"])
def test_passes_are_the_pixels_that_the_model_sees_in_inputs_of_its_own_size(name):
    recipe = named(name)
    assert costs.channel_passes(recipe, SEES_ALL) == pytest.approx(pixels_seen(recipe, 224) / 224**2)


def test_memory_grows_with_what_a_step_shows_the_model_and_with_its_weights():
    def asked(recipe, one=SEES_ALL):
        whole = settings.Settings(models=(), images=(), channels=settings.ChannelsSettings(recipe=recipe))
        return cuts.asked_of_scheduler(loads.of_channel(whole, "channels", one), 1, SPEED)["mem_mb"]

    cells_mb = 8 * 10.0 * 4  # of a batch of 8 at the model's own size: 10 million numbers each
    lucid = functools.partial(named, "lucid", transforms=(), units_per_batch=8)
    usual = asked(lucid())
    assert asked(lucid(size_px=448)) - usual == pytest.approx(3 * cells_mb, abs=110)
    assert asked(lucid(variants=16)) - usual == pytest.approx(cells_mb, abs=210)
    assert asked(named("maco", crops=32, size_px=224)) - usual == pytest.approx(32 * 10.0 * 4 - cells_mb, abs=110)
    heavy = dataclasses.replace(SEES_ALL, weights_mb=500.0)
    assert asked(lucid(), heavy) - usual == pytest.approx(4 * 500, abs=110)
    measured = asked(lucid(units_per_batch="auto"))
    assert measured - usual == pytest.approx((loads.MOST_AT_ONCE - 8) * 10.0 * 4, abs=110)
    wide = dataclasses.replace(SEES_ALL, mcells=1000.0)
    assert asked(lucid(units_per_batch="auto"), wide) == asked(lucid(units_per_batch=1), wide)


def test_layers_that_see_little_cost_less():
    recipe = named("konvolut")
    assert costs.channel_passes(recipe, SEES_LITTLE) == pytest.approx(recipe.steps * (64 / 224) ** 2)


def test_variants_crops_and_octaves_count():
    assert costs.channel_passes(named("diversity"), SEES_ALL) == 4 * 128
    assert costs.channel_passes(named("maco"), SEES_ALL) == 256 * 32
    two = dataclasses.replace(named("lab-dream"), octaves=2, octave_scale=2.0)
    one = costs.dream_passes(named("lab-dream"), 224, SEES_ALL)
    assert costs.dream_passes(two, 224, SEES_ALL) == pytest.approx(one * 1.25)


def test_the_squares_of_a_photograph_are_counted():
    side, step, height, width = 40, 10, 100, 133
    squares = len(range(0, height - side + 1, step)) * len(range(0, width - side + 1, step))
    assert costs.patch_passes(0.4, 0.1) == squares * costs.FORWARD


def test_only_maps_of_the_photographs_that_were_asked_for_take_disk():
    wanted = settings.load({"activations": {"maps": ["cat", "coffee"]}, "atlas": {"feature_maps": ["cat"]}}, ROOT)
    of_all = loads.HALF_BYTES * costs.MB * SEES_ALL.mcells
    each = loads.of_photograph(wanted, "activations", {"": SEES_ALL}).bytes
    assert each * len(wanted.images) == pytest.approx(2 * of_all)


def test_maps_in_colours_are_three_planes():
    def size(*methods):
        wanted = settings.load({"saliency": {"methods": list(methods), "targets": ["predicted", 7], "top": 2}}, ROOT)
        return loads.of_photograph(wanted, "saliency", {"": SEES_ALL}).bytes

    plane = 3 * SEES_ALL.input_px**2 * loads.FLOAT_BYTES  # of three classes
    assert size("vanilla", "grad_cam") - size("vanilla") == plane
    assert size("vanilla", "gradient", "deconvnet") - size("vanilla") == 6 * plane


def test_the_start_of_a_job_is_the_age_of_its_process_and_what_the_first_pass_takes_longer(tmp_path, monkeypatch):
    """Wall time, with imports and whatever the process did before; waiting for a GPU is none of it."""
    monkeypatch.setattr(calibration, "SAMPLES", {"test_efficientnet": "blocks.1.0"})
    monkeypatch.setattr(calibration, "sample", lambda network, layer: calibration.Sample(1.0, 1.0, 0.5, warm_up=100.0))
    age = time.time() - psutil.Process().create_time()
    calibration.calibrate("cpu", tmp_path / "calibration.tsv", waited=2.0)
    found = costs.read_speed(tmp_path / "calibration.tsv")
    now = time.time() - psutil.Process().create_time()
    assert age < found.start + 2.0 - 100.0 < now
    assert 1e-4 < found.per_mb < 1, "neither a ramdisk's copy nor a floppy"


def test_a_job_that_writes_more_is_granted_more_time_and_computes_less_of_it():
    few, many = (Load(SEES_ALL, 100, size) for size in (1e3, 1e9))
    granted = [cuts.asked_of_scheduler(load, 100, SPEED)["runtime"] for load in (few, many)]
    assert granted[1] - granted[0] == pytest.approx(3 * 100 * 1e3 * SPEED.per_mb / 60, abs=1.1)
    assert SPEED.around(1000.0) == pytest.approx(5.0 + 100.0)


def test_the_calibration_survives_its_file(tmp_path):
    costs.write_speed(SPEED, tmp_path / "calibration.tsv")
    assert costs.read_speed(tmp_path / "calibration.tsv") == SPEED


@pytest.mark.parametrize(("minutes", "passes"), [(15, 100), (1, 3), (0.01, 500), (60, 0.001)])
def test_cuts_hold_every_unit_once_in_order_and_no_job_is_longer_than_asked(minutes, passes):
    load = Load(SEES_ALL, passes, 1.0)
    parts = cuts.cut(range(1000), load, None, SPEED, minutes)
    assert [unit for part in parts for unit in part] == list(range(1000))
    longest = max(map(len, parts))
    assert longest * load.seconds(SPEED) <= minutes * 60 or longest == 1
    assert longest - min(map(len, parts)) <= len(parts), "about equally long"
    assert len(parts) == 1 or 2 * longest * load.seconds(SPEED) >= minutes * 60 or longest == cuts.MOST_UNITS


def test_a_number_of_units_that_is_asked_for_is_kept():
    parts = cuts.cut(range(10), Load(SEES_ALL, 1e9, 1.0), 4, SPEED, 1)
    assert list(map(len, parts)) == [4, 4, 2]


def test_a_job_asks_for_three_times_its_minutes_and_more_memory_for_more_pictures():
    long = cuts.asked_of_scheduler(Load(SEES_ALL, 500, 1e6, 8), 100, SPEED)
    assert long["runtime"] == pytest.approx(3 * 100 * 500 * (2 * 0.01 + 10 * 0.002) / 60, rel=0.02)
    short = cuts.asked_of_scheduler(Load(SEES_ALL, 1, 1e6, 8), 1, SPEED)
    assert short["runtime"] == cuts.LEAST_RUNTIME_MIN
    assert long["mem_mb"] - short["mem_mb"] == pytest.approx(cuts.COPIES * 99, abs=100)


@pytest.fixture
def planned(tmp_path):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    wanted = settings.load(config, ROOT)
    census().to_csv(tmp_path / "layers.csv", index=False)
    return plan.make_plan(wanted, {wanted.models[0].key: tmp_path / "layers.csv"}, SPEED)


def test_the_report_adds_up(planned):
    table = report.summarise(planned, SPEED)
    each, techniques = table[table["model"] != "all"], table[(table["model"] == "all") & (table["technique"] != "all")]
    everything = table.iloc[-1]
    for column in ("units", "passes", "jobs", "files"):
        assert each[column].sum() == techniques[column].sum() == everything[column]
    jobs = planned[~planned["technique"].isin(report.LEFT_OUT)]
    assert everything["jobs"] == len(jobs)
    seconds = (
        jobs["gflop"] * SPEED.per_gflop + jobs["mcells"] * SPEED.per_mcell + SPEED.start + jobs["mb"] * SPEED.per_mb
    )
    assert everything["hours"] == pytest.approx(seconds.sum() / 3600, abs=1e-3)
    said = report.in_words(table, SPEED)
    assert f"{everything['units']:,} pictures and photographs in {everything['jobs']:,} jobs" in said
    assert "core hours (on cpu" in said


def test_the_files_of_a_plan_are_those_of_the_rules(planned):
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    for technique, pattern in outputs.PATTERNS.items():
        assert f'"results/{pattern}"' in rules, technique
    assert set(planned["technique"]) <= set(outputs.PATTERNS)
    assert outputs.planned_files(planned[planned["technique"] == "channels"])[0].parent.name == "stem"


def test_the_files_of_a_model_are_those_of_the_rules():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    outputs_of_rules = re.findall(r"^ +output:\n((?: {8,}.*\n)+)", rules, flags=re.MULTILINE)
    alone = set(re.findall(r'"results/\{model\}/([^{}/"]+)"', "".join(outputs_of_rules)))
    planned = {pattern.removeprefix("{model}/") for pattern in outputs.PATTERNS.values()}
    assert alone - planned == set(checks.OF_MODEL)


def test_no_technique_is_without_a_cost(planned):
    assert (planned[~planned["technique"].isin(report.LEFT_OUT)]["gflop"] > 0).all()
    assert loads.of_channel(settings.load({}, ROOT), "channels", SEES_ALL).passes > 0


def test_a_sweep_answers_as_a_plain_filter_of_its_plan_would(planned, tmp_path):
    planned.to_csv(tmp_path / "plan.tsv", sep="\t", index=False)
    asked = sweep.Sweep(settings.load({}, ROOT), lambda: SimpleNamespace(plan=tmp_path / "plan.tsv"))
    places = [{}, {"model": "lite0"}, {"model": "lite0", "layer": "block"}, {"model": "none", "layer": "block"}]
    for technique, place in itertools.product(("channels", "activations", "atlas"), places):
        rows = planned[planned["technique"] == technique]
        for name, value in place.items():
            rows = rows[rows[name].isin(("", value))]
        expected = [f"{row.model}/{row.layer}/{row.first}-{row.last}" for row in rows.itertuples()]
        found = asked.shards(technique, "{model}/{layer}/{first}-{last}")(SimpleNamespace(**place))
        assert found == expected, (technique, place)


def test_examples_are_granted_more_where_more_units_and_files_are_merged():
    few = reductions.asked_for_examples(2_000, 1)
    of_imagenet = reductions.asked_for_examples(26_560, 98)  # 50,000 photographs
    assert of_imagenet["runtime"] == few["runtime"]
    many = reductions.asked_for_examples(26_560, 1954)
    assert many["runtime"] > 5 * 60 > few["runtime"]
    assert reductions.asked_for_examples(300_000, 98)["mem_mb"] > 3 * few["mem_mb"]


def test_look_alikes_are_granted_more_where_more_units_meet_over_more_photographs():
    least = reductions.asked_for_alike(2_504, 2_504, 20)
    assert reductions.asked_for_alike(26_560, 26_560, 5_000)["runtime"] == least["runtime"] == 120
    of_ten_models = reductions.asked_for_alike(26_560, 250_000, 50_000)["runtime"]
    assert 8 * 60 < of_ten_models < 24 * 60
    assert reductions.asked_for_alike(26_560, 500_000, 50_000)["runtime"] == pytest.approx(2 * of_ten_models, abs=1)


def test_trust_is_granted_what_all_networks_take_to_look_at_all_pictures():
    network, slow = Pass(gflop=8.0, mcells=22.0, input_px=224, receptive_field_px=224, weights_mb=100.0), SPEED
    quick = dataclasses.replace(slow, per_gflop=slow.per_gflop / 500, per_mcell=slow.per_mcell / 500)
    few = [{"layer": "a", "units": 8, "mb": 1.2}]
    every = [{"layer": f"{number // 4}", "units": 125, "mb": 19.0} for number in range(212)]  # four jobs a layer
    assert reductions.asked_for_trust(few, [network], slow) == {"runtime": 60, "mem_mb": 2000}
    one, ten = (reductions.asked_for_trust(every, [network] * count, slow) for count in (1, 10))
    passes = 0.5 * 212 * 125 * slow.seconds(8.0, 22.0)
    assert one["runtime"] > 3 * passes / 60 > 60
    assert ten["runtime"] == pytest.approx(10 * one["runtime"], rel=0.01)
    assert reductions.asked_for_trust(every, [network] * 10, quick)["runtime"] == 60
    wide = [{"layer": "a", "units": 2048, "mb": 2500.0}]
    assert reductions.asked_for_trust(wide, [network], slow)["mem_mb"] > 3 * 2500 + 4 * 100


def test_a_model_is_granted_what_its_own_row_of_the_plan_says(tmp_path):
    def of(model, mem_mb):
        return dict.fromkeys(plan.COLUMNS, 0) | {"technique": "examples", "model": model, "mem_mb": mem_mb}

    rows = [of("a", 4000) | {"layer": "", "channels": ""}, of("b", 9000) | {"layer": "", "channels": ""}]
    plan_tsv = tmp_path / "plan.tsv"
    pd.DataFrame(rows, columns=plan.COLUMNS).to_csv(plan_tsv, sep="\t", index=False)
    asked = sweep.Sweep(settings.load({}, ROOT), lambda: SimpleNamespace(plan=plan_tsv))
    assert asked.mem_mb("examples")(SimpleNamespace(model="b"), attempt=2) == 2 * 9000
