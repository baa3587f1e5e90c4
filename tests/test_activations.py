"""Activations: the file against a plain forward pass; the same however the photographs were cut into shards."""

import dataclasses

import numpy as np
import pytest
import torch

from konvolut.asked import shards
from konvolut.asked.sheets import ModelSource, Photograph
from konvolut.errors import UserError
from konvolut.network import census, models, photographs, planes
from konvolut.pictures import images
from konvolut.results import store
from konvolut.techniques import activations

SOURCE = ModelSource(id="m", key="m", timm_name="test_resnet", weights="random:0")
# bn2 is changed in place by the activation after it: what is stored must be bn2's own output.
COUNT = photographs.BATCH["cpu"] * 2 + 2
LAYERS = ("layer1.0.bn1", "layer3", "global_pool", "fc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("activations")
    generator = np.random.default_rng(0)
    for i in range(COUNT):
        small = generator.integers(0, 256, (6, 9 + i, 3), dtype=np.uint8)
        images.write_png(folder / f"{i}.png", small.repeat(30, 0).repeat(20, 1))
    census.write_census(census.census(models.build(SOURCE)), folder / "layers.csv")
    return folder


def shard_of(folder, numbers, **changed) -> shards.ActivationsShard:
    rows = tuple(Photograph(id=f"p/{i}", key=f"p{i}", path=str(folder / f"{i}.png"), label=f"<{i}>") for i in numbers)
    asked = {"layers": LAYERS, "maps": tuple(row.id for row in rows), "dtype": "float32", "compression": "none"}
    asked |= {"maps_layers": None, "draft": False, "keep": 3, "on_error": "fail", "device": "cpu"} | changed
    return shards.ActivationsShard(model=SOURCE, photographs=rows, **asked)


def computed(folder, numbers, name, **changed) -> store.Activations:
    activations.compute(shard_of(folder, numbers, **changed), folder / "layers.csv", folder / name, lambda *_: None)
    return store.read_activations(folder / name, maps=True)


@pytest.fixture(scope="module")
def whole(folder):
    return computed(folder, range(COUNT), "whole.h5")


def test_maps_and_predictions_are_those_of_a_plain_forward_pass(folder, whole):
    network = models.build(SOURCE)
    shard = shard_of(folder, range(len(whole.image)))
    pictures, boxes = photographs.look_at(network, shard.photographs)
    x = planes.normalise(network, torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    module, seen = network.module, {}
    hooks = [module.layer1[0].bn1.register_forward_hook(lambda m, a, o: seen.update({"layer1.0.bn1": o.clone()}))]
    with torch.no_grad():
        logits = module(x)
        hooks[0].remove()
        seen["layer3"] = module.layer3(
            module.layer2(module.layer1(module.maxpool(module.act1(module.bn1(module.conv1(x))))))
        )
    for layer, expected in seen.items():
        assert np.allclose(whole.layers[layer].maps, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert (whole.layers["layer1.0.bn1"].maps < 0).any()
    assert np.allclose(whole.layers["fc"].maps[:, :, 0, 0], logits.numpy(), rtol=1e-4, atol=1e-5)
    assert np.allclose(whole.probability, logits.softmax(1).sort(1, descending=True).values[:, :5].numpy(), rtol=1e-3)
    assert whole.predicted_name[0][0] == network.class_names[whole.predicted_class[0, 0]]
    assert np.array_equal(whole.crop, boxes)
    assert (whole.image[1], whole.label[1]) == ("p1", "<1>")


def test_pooled_statistics_are_those_of_the_maps(whole):
    for content in whole.layers.values():
        maps = content.maps
        assert np.array_equal(content.max, maps.max((2, 3)))
        assert np.allclose(content.mean, maps.mean((2, 3)), rtol=1e-4, atol=1e-6)
        for i, c in np.ndindex(len(maps), min(5, maps.shape[1])):
            first = np.unravel_index(maps[i, c].argmax(), maps.shape[2:])  # numpy: the first of equals
            assert tuple(content.cell[i, c]) == first


def test_the_first_of_equal_cells_is_kept():
    for pooled in (activations._pooled_by_library, activations._pooled_at_once):
        ties = torch.tensor([[1.0, 3, 3, 2], [0, 0, 0, 0], [-2, -1, -3, -1]]).reshape(1, 3, 2, 2)
        for order in (torch.contiguous_format, torch.channels_last):
            most, mean, first = pooled(ties.to(memory_format=order))
            assert (most.tolist(), mean.tolist(), first.tolist()) == ([[3, 0, -1]], [[2.25, 0, -1.75]], [[1, 0, 1]])


def test_the_result_of_a_photograph_does_not_depend_on_its_shard(folder, whole):
    parts = [computed(folder, numbers, "part.h5") for numbers in (range(3), range(3, len(whole.image)))]
    for layer, content in whole.layers.items():
        for field in dataclasses.fields(content)[:-1]:
            joined = np.concatenate([getattr(part.layers[layer], field.name) for part in parts])
            assert np.array_equal(joined, getattr(content, field.name)), (layer, field.name)


def test_half_precision_holds_the_largest_values_without_infinity(folder, whole):
    half = computed(folder, range(2), "half.h5", dtype="float16", compression="blosc-lz4")
    assert half.layers["layer3"].maps.dtype == np.float16
    assert np.allclose(half.layers["layer3"].maps, whole.layers["layer3"].maps[:2], rtol=1e-3, atol=1e-3)
    assert np.array_equal(half.layers["layer3"].max, whole.layers["layer3"].max[:2])
    assert activations.narrowed(np.full(1, 1e6, np.float32), "float16").item() == 65504


def test_maps_can_be_left_out(folder):
    pooled = computed(folder, range(2), "pooled.h5", maps=())
    assert all(content.maps is None for content in pooled.layers.values())


def test_maps_are_those_of_the_photographs_and_layers_that_were_asked_for(folder, whole):
    some = computed(folder, range(COUNT), "some.h5", maps=("p/1", "p/9", "elsewhere"), maps_layers=("layer*",))
    assert some.maps_of == ["p1", "p9"]
    assert [layer for layer, content in some.layers.items() if content.maps is not None] == list(LAYERS[:2])
    assert np.array_equal(some.layers["layer3"].maps, whole.layers["layer3"].maps[[1, 9]])
    assert np.array_equal(store.read_maps(folder / "some.h5", "layer3", "p9"), whole.layers["layer3"].maps[9])
    assert store.read_maps(folder / "some.h5", "layer3", "p0") is None


def test_a_damaged_photograph_ends_the_job_or_is_left_out_and_named(folder, whole):
    shard = shard_of(folder, range(4))
    broken = folder / "broken.png"
    broken.write_bytes((folder / "1.png").read_bytes()[:-200])
    rows = (shard.photographs[0], dataclasses.replace(shard.photographs[1], path=str(broken)), *shard.photographs[2:])
    shard = dataclasses.replace(shard, photographs=rows, maps=())
    with pytest.raises(UserError, match=r"broken\.png cannot be decoded"):
        activations.compute(shard, folder / "layers.csv", folder / "b.h5", lambda *_: None)
    assert not (folder / "b.h5").exists()
    told = []
    shard = dataclasses.replace(shard, on_error="skip")
    activations.compute(shard, folder / "layers.csv", folder / "b.h5", lambda *done: told.append(done))
    found = store.read_activations(folder / "b.h5")
    assert found.image == ["p0", "p2", "p3"]
    assert len(found.problem) == 1
    assert "image 'p/1'" in found.problem[0]
    assert np.array_equal(found.layers["fc"].max, whole.layers["fc"].max[[0, 2, 3]])
    assert told[-1] == (4, 4)
    nothing = dataclasses.replace(shard, photographs=rows[1:2])
    with pytest.raises(UserError, match="none of the 1 photographs can be read"):
        activations.compute(nothing, folder / "layers.csv", folder / "n.h5", lambda *_: None)


def test_a_layer_that_hands_on_its_childs_output_is_summarised_once_and_a_changed_tensor_again():
    keep = activations.Summaries(None, "float32")
    tensor = torch.randn(1, 2, 3, 3)
    assert keep(tensor, "a") is keep(tensor, "b")
    before = keep(tensor, "a")
    tensor.relu_()
    assert (keep(tensor, "c")["mean"] > before["mean"]).all()


def test_only_a_few_photographs_are_decoded_ahead(monkeypatch):
    started = []
    monkeypatch.setattr(photographs, "look", lambda network, one, draft: started.append(one) or one)
    stream = photographs.stream(None, iter(range(1000)))
    assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(started) <= 5 + photographs.AHEAD
    stream.close()


def test_the_passport_says_which_network_it_was(folder, whole):
    passport = store.read_passport(folder / "whole.h5")
    assert passport["weights_sha256"] == models.build(SOURCE).weights_sha256
    assert tuple(passport["data"]["input_size"]) == (3, 160, 160)
