"""The plan: which layers and channels are meant, and that shards cover them once each."""

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from konvolut.asked import as_json, plan, selection, settings, shards
from konvolut.asked.costs import UNMEASURED
from konvolut.asked.settings import Channels
from konvolut.errors import UserError

ROOT = Path(__file__).parents[1]


def census_rows(channels=(8, 24, 40, 10)):
    names = ["stem", "blocks.0.conv", "blocks.1.conv", "classifier"]
    rows = [
        {"layer": name, "channels": count, "auto": name != "blocks.0.conv", "refused": "", "flops": 1e6 * (i + 1)}
        for i, (name, count) in enumerate(zip(names, channels, strict=True))
    ]
    rows.append({"layer": "blocks", "channels": 0, "auto": False, "refused": "returns a tuple", "flops": 0.0})
    rows.append(rows[2] | {"layer": "blocks.1.identity", "auto": False, "same_as": "blocks.1.conv"})
    size = {"height": 14, "width": 14, "stride": 16, "receptive_field_px": 99, "parameters": 100}
    return pd.DataFrame(rows).fillna({"same_as": ""}).assign(**size)


@pytest.fixture
def census():
    return census_rows()


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (("auto",), ["stem", "blocks.1.conv", "classifier"]),
        (("all",), ["stem", "blocks.0.conv", "blocks.1.conv", "classifier"]),
        (("blocks.*.conv",), ["blocks.0.conv", "blocks.1.conv"]),
        (("blocks.1.identity",), ["blocks.1.identity"]),
        (("classifier", "stem"), ["stem", "classifier"]),
        (("stem", "st*"), ["stem"]),
    ],
)
def test_globs_name_layers_in_the_order_of_the_network(census, globs, expected):
    assert selection.resolve_layers(globs, census, "channels", "m") == expected


def test_an_unknown_layer_gets_the_nearest_one(census):
    with pytest.raises(UserError, match=r"channels: layers: 'block.0.conv' matches no layer.*'blocks.0.conv'"):
        selection.resolve_layers(("block.0.conv",), census, "channels", "m")


def test_a_layer_without_units_is_refused_with_its_reason(census):
    with pytest.raises(UserError, match="'blocks' of model 'm' has no units: returns a tuple"):
        selection.resolve_layers(("blocks",), census, "channels", "m")


@pytest.fixture
def dense():
    """Layers with the same tensor: a convolution of two names, a norm and two identities, a block and its last one."""
    rows = [
        ("stem", "Conv2d", "", ""),
        ("stem.again", "Conv2d", "stem", ""),
        ("dense.conv1", "Conv2dSame", "", ""),
        ("dense.norm", "BatchNorm2d", "", ""),
        ("dense.drop", "Identity", "dense.norm", ""),
        ("dense.path", "Identity", "dense.norm", ""),
        ("dense.conv2", "StdConv2d", "dense", ""),
        ("dense", "DenseLayer", "", ""),
        ("attention", "Attention", "", "returns a tuple"),
        ("classifier", "Linear", "", ""),
    ]
    return pd.DataFrame(rows, columns=["layer", "kind", "same_as", "refused"]).assign(auto=False)


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (("kind:Conv2d",), ["stem"]),
        (("kind:Conv2d*",), ["stem", "dense.conv1"]),
        (("kind:*Conv2d*",), ["stem", "dense.conv1", "dense.conv2"]),
        (("kind:Linear", "kind:Conv2d"), ["stem", "classifier"]),
        (("kind:Identity",), ["dense.drop"]),
        (("kind:Linear", "dense.n*"), ["dense.norm", "classifier"]),
    ],
)
def test_kinds_name_the_layers_of_a_class_once_each(dense, globs, expected):
    assert selection.resolve_layers(globs, dense, "channels", "m") == expected


def test_every_kind_means_what_all_means(dense):
    both = [selection.resolve_layers(globs, dense, "channels", "m") for globs in (("kind:*",), ("all",))]
    assert both[0] == both[1] == ["stem", "dense.conv1", "dense.norm", "dense", "classifier"]


@pytest.mark.parametrize(
    ("glob", "sentence"),
    [
        ("kind:conv2d", r"channels: layers: 'kind:conv2d' matches no layer of model 'm' .*nearest: 'kind:Conv2d'"),
        ("kind:", r"channels: layers: 'kind:' matches no layer of model 'm' \(its 10 layers and their kinds are in"),
        ("kind:Attention", "channels: layer 'attention' of model 'm' has no units: returns a tuple"),
    ],
)
def test_a_kind_that_gives_no_units_is_refused(dense, glob, sentence):
    with pytest.raises(UserError, match=sentence):
        selection.resolve_layers((glob,), dense, "channels", "m")
    with pytest.raises(UserError, match="matches no layer"):
        selection.resolve_layers(("kind:Conv2d",), dense[:0], "channels", "m")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Channels("all"), list(range(10))),
        (Channels("first", 3), [0, 1, 2]),
        (Channels("first", 99), list(range(10))),
        (Channels("numbers", 0, (7, 2, 2)), [2, 7]),
    ],
)
def test_selectors_name_channels(selector, expected):
    assert selection.resolve_channels(selector, 10, 1, "here") == expected


def test_random_channels_differ_by_seed_and_come_back():
    draw = [selection.resolve_channels(Channels("random", 16), 1000, seed, "here") for seed in (1, 1, 2)]
    assert draw[0] == draw[1] != draw[2]
    assert len(set(draw[0])) == 16
    assert draw[0] == sorted(draw[0])


def test_a_channel_out_of_range_is_refused_with_what_is_possible():
    with pytest.raises(UserError, match="here: channel 10 is out of range, possible are 0 to 9"):
        selection.resolve_channels(Channels("numbers", 0, (3, 10)), 10, 1, "here")


@pytest.mark.parametrize("channels", [[], [0], [0, 1, 2], [0, 2, 3, 9], [5, 6, 100]])
def test_channel_lists_survive_the_table(channels):
    assert list(selection.parse_channels(selection.format_channels(channels))) == channels


@pytest.fixture
def wanted():
    import yaml

    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return settings.load(config, ROOT)


@pytest.fixture
def planned(wanted, census, tmp_path):
    census.to_csv(tmp_path / "layers.csv", index=False)
    return plan.make_plan(wanted, {model.key: tmp_path / "layers.csv" for model in wanted.models})


@pytest.mark.parametrize("technique", ["channels", "dreams"])
def test_shards_cover_every_unit_once(wanted, planned, technique):
    rows = planned[planned["technique"] == technique]
    assert len(rows)
    for _, layer in rows.groupby("layer"):
        channels = [number for text in layer["channels"] for number in selection.parse_channels(text)]
        assert len(channels) == len(set(channels))
        assert list(layer["first"]) == [selection.parse_channels(text)[0] for text in layer["channels"]]


def test_a_sweep_of_a_kind_has_jobs_and_pages_for_its_layers_alone(wanted, census, tmp_path):
    census.assign(kind=["Conv2d", "Conv2dSame", "Conv2d", "Linear", "Sequential", "Identity"]).to_csv(
        tmp_path / "layers.csv", index=False
    )
    convolutions = dataclasses.replace(wanted, layers=("kind:Conv2d*",))
    rows = plan.make_plan(convolutions, {model.key: tmp_path / "layers.csv" for model in wanted.models})
    for technique in ("channels", "dreams", "atlas"):
        layers = rows[rows["technique"] == technique]["layer"]
        assert list(dict.fromkeys(layers)) == ["stem", "blocks.0.conv", "blocks.1.conv"]


@pytest.fixture
def of_two(wanted, census, tmp_path):
    """Plans a sweep of two networks whose modules have other names."""
    (one,) = wanted.models
    other = dataclasses.replace(one, id="other", key="other")
    census = census.assign(kind="Conv2d")
    renamed = census.assign(layer=census["layer"].str.replace("blocks", "layers"))
    paths = {one.key: tmp_path / "layers.csv", "other": tmp_path / "others.csv"}
    census.to_csv(paths[one.key], index=False)
    renamed.to_csv(paths["other"], index=False)

    def planned(*globs, **sections):
        asked = dataclasses.replace(wanted, models=(one, other), layers=globs)
        for name, more in sections.items():
            asked = dataclasses.replace(asked, **{name: dataclasses.replace(getattr(wanted, name), layers=more)})
        rows = plan.make_plan(asked, paths)
        return {(row.technique, row.model, row.layer) for row in rows.itertuples() if row.layer}

    return planned


def test_a_glob_means_layers_of_the_models_that_have_them(of_two, wanted):
    found = of_two("stem", "blocks.0.conv", "layers.1.c*", kernels=("blocks.0.conv",))
    key = wanted.models[0].key
    assert {(model, layer) for technique, model, layer in found if technique == "atlas"} == {
        *((model, "stem") for model in (key, "other")),
        (key, "blocks.0.conv"),
        ("other", "layers.1.conv"),
    }
    assert {(model, layer) for technique, model, layer in found if technique == "kernels"} == {(key, "blocks.0.conv")}


def test_kernels_of_what_is_no_convolution_are_refused(wanted, census, tmp_path):
    census.assign(kind="Linear").to_csv(tmp_path / "layers.csv", index=False)
    asked = dataclasses.replace(wanted, kernels=dataclasses.replace(wanted.kernels, layers=("stem",)))
    with pytest.raises(UserError, match=r"kernels: layers: 'stem' of model '.*' is no convolution"):
        plan.make_plan(asked, {model.key: tmp_path / "layers.csv" for model in wanted.models})


def test_a_section_may_be_about_one_model_alone(of_two, wanted):
    found = of_two("stem", channels=("layers.1.conv",))
    channels = {(model, layer) for technique, model, layer in found if technique == "channels"}
    assert channels == {("other", "layers.1.conv")}


def test_a_glob_that_means_nothing_in_any_model_is_refused_and_a_model_without_layers_too(of_two):
    with pytest.raises(UserError, match=r"'block\.0\.conv' matches no layer"):
        of_two("stem", "block.0.conv")
    with pytest.raises(UserError, match=r"layers: layers\.1\.conv: model '.*' has none of these, only other models"):
        of_two("layers.1.conv")


@pytest.mark.parametrize("technique", ["activations", "saliency"])
def test_shards_cover_every_photograph_once(wanted, planned, technique):
    rows = planned[planned["technique"] == technique]
    covered = [n for row in rows.itertuples() for n in range(row.first, row.last + 1)]
    assert covered == list(range(len(wanted.images)))


OFF_BY_DEFAULT = ("neuron", "negative", "diversity", "maco", "layer_dreams", "accentuation", "caricature", "classes")
OFF_BY_DEFAULT += ("patches", "kernels", "fooling", "inversion")


def test_techniques_without_photographs_or_layers_have_no_jobs(planned):
    assert not set(OFF_BY_DEFAULT) & set(planned["technique"])


@pytest.fixture
def everything(tmp_path):
    import yaml

    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for section, keys in yaml.safe_load((ROOT / "config/everything.yaml").read_text()).items():
        config[section] = {**(config.get(section) or {}), **keys}
    for section in config.values():
        if isinstance(section, dict) and "layers" in section:
            section["layers"] = ["stem", "blocks.1.conv"]  # the census of these tests has no others
    return settings.load(config, ROOT)


def test_everything_turns_every_technique_on(everything, census, tmp_path):
    census.assign(kind="Conv2d").to_csv(tmp_path / "layers.csv", index=False)
    rows = plan.make_plan(everything, {model.key: tmp_path / "layers.csv" for model in everything.models})
    for technique in OFF_BY_DEFAULT:
        assert len(rows[rows["technique"] == technique]), technique
    inversion = rows[rows["technique"] == "inversion"]
    assert list(inversion["layer"]) == ["stem", "blocks.1.conv"]
    assert list(inversion["units"]) == [2, 2]
    assert list(inversion["passes"]) == [2 * everything.inversion.steps] * 2
    assert list(rows[rows["technique"] == "kernels"]["layer"]) == ["stem", "blocks.1.conv"]
    assert everything.saliency.methods == settings.SALIENCY_METHODS
    assert everything.atlas.feature_maps == ("cat",)


def test_a_technique_loses_the_photographs_that_cannot_be_read(everything):
    surveyed = pd.DataFrame([{"key": photo.key, "id": photo.id, "problem": ""} for photo in everything.images])
    surveyed.loc[surveyed["id"] == "cat", "problem"] = "cut off"
    readable = plan.only_readable(everything, surveyed)
    assert readable.fooling.images == ("coffee",)


def with_objective(wanted, section, *terms, **changes):
    recipe = dataclasses.replace(getattr(wanted, section).recipe, objective=tuple((term, 1.0) for term in terms))
    return dataclasses.replace(
        wanted, **{section: dataclasses.replace(getattr(wanted, section), recipe=recipe, **changes)}
    )


@pytest.mark.parametrize(
    ("section", "term", "sentence"),
    [
        (
            "channels",
            "mean:7@blocks.2.conv",
            r"model 'lite0' has no layer 'blocks\.2\.conv'; nearest: 'blocks\.1\.conv'",
        ),
        ("dreams", "layer@blocks", "layer 'blocks' has no units: returns a tuple"),
        ("channels", "mean:8", "channel 8 of 'stem' is out of range, possible: 0 to 7"),
        (
            "layer_dreams",
            "mean:24@blocks.0.conv",
            r"channel 24 of 'blocks\.0\.conv' is out of range, possible: 0 to 23",
        ),
        ("channels", "neuron[14,0]", r"'stem' has cells \[0,0\] to \[13,13\], not \[14, 0\]"),
        ("channels", "neuron:3[0,14]@classifier", r"'classifier' has cells \[0,0\] to \[13,13\]"),
    ],
)
def test_what_an_objective_cannot_look_at_is_refused_before_any_picture(
    everything, census, tmp_path, section, term, sentence
):
    census.assign(kind="Conv2d").to_csv(tmp_path / "layers.csv", index=False)
    censuses = {model.key: tmp_path / "layers.csv" for model in everything.models}
    with pytest.raises(UserError, match=rf"^{section}: objective: {re.escape(repr(term))}: .*{sentence}"):
        plan.make_plan(with_objective(everything, section, "norm", term), censuses)
    fine = ("mean:7", "mean:23@blocks.0.conv", "neuron[13,13]", "neuron:3[0,13]@classifier", "layer")
    assert len(plan.make_plan(with_objective(everything, section, *fine), censuses))


def test_accents_are_near_a_layer_that_there_is(everything, census, tmp_path):
    census.assign(kind="Conv2d").to_csv(tmp_path / "layers.csv", index=False)
    censuses = {model.key: tmp_path / "layers.csv" for model in everything.models}
    with pytest.raises(UserError, match=r"accentuation: near: model 'lite0' has no layer.*nearest: 'blocks\.0\.conv'"):
        plan.make_plan(with_objective(everything, "accentuation", "peaks", near="blocks.0.con"), censuses)
    assert len(plan.make_plan(with_objective(everything, "accentuation", "peaks", near="blocks.0.conv"), censuses))


def test_kernels_are_those_of_convolutions_only(everything, census, tmp_path):
    census.assign(kind="ReLU").to_csv(tmp_path / "layers.csv", index=False)
    with pytest.raises(UserError, match="kernels: layers"):
        plan.make_plan(everything, {model.key: tmp_path / "layers.csv" for model in everything.models})


def test_kernels_of_auto_are_those_of_the_first_convolution(everything, census, tmp_path):
    kinds = ["Conv2d" if number else "ReLU" for number in range(len(census))]
    census.assign(kind=kinds).to_csv(tmp_path / "layers.csv", index=False)
    asked = dataclasses.replace(everything, kernels=dataclasses.replace(everything.kernels, layers=("auto",)))
    rows = plan.make_plan(asked, {model.key: tmp_path / "layers.csv" for model in everything.models})
    kernels = rows[rows["technique"] == "kernels"]
    assert list(kernels["layer"]) == [census["layer"].iloc[1]] * len(everything.models)


def test_jobs_that_compute_ask_for_a_gpu_where_the_calibration_found_one(everything, census, tmp_path):
    census.assign(kind="Conv2d").to_csv(tmp_path / "layers.csv", index=False)
    censuses = {model.key: tmp_path / "layers.csv" for model in everything.models}
    assert set(plan.make_plan(everything, censuses)["gpu"]) == {0}
    rows = plan.make_plan(everything, censuses, dataclasses.replace(UNMEASURED, device="cuda"))
    texts = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    for technique, asked in rows.groupby("technique")["gpu"]:
        name = "atlas_layer" if technique == "atlas" else technique
        rule = re.search(
            rf"^(?:use rule channels as|rule) {name}\b.*?^    params:", texts, flags=re.MULTILINE | re.DOTALL
        )
        assert set(asked) == {int("gpu=sweep.gpu" in rule[0])}, technique


def test_the_plan_survives_its_file(planned, tmp_path):
    planned.to_csv(tmp_path / "plan.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(plan.read_plan(tmp_path / "plan.tsv"), planned, check_dtype=False)


def test_a_shard_survives_its_json(wanted):
    shard = shards.DreamsShard(
        model=wanted.models[0],
        layer="blocks.1",
        channels=(1, 5),
        photographs=wanted.images[:2],
        recipe=wanted.dreams.recipe,
        longest_side_px=320,
        seed=3,
        device="cpu",
    )
    back = as_json.from_json(shards.DreamsShard, as_json.to_json(shard))
    assert dataclasses.replace(back, model=shard.model, photographs=shard.photographs) == shard
    assert back.photographs[1].path == shard.photographs[1].path
    assert back.model.timm_name == shard.model.timm_name


def test_settings_survive_their_json(wanted):
    text = as_json.to_json(wanted)
    assert as_json.to_json(as_json.from_json(settings.Settings, text)) == text


def test_json_is_canonical(wanted):
    text = as_json.to_json(wanted)
    assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)


def test_where_a_model_stands_in_its_sheet_is_no_part_of_it(wanted):
    moved = dataclasses.replace(wanted.models[0], sheet_line=99)
    assert as_json.to_json(moved) == as_json.to_json(wanted.models[0])
