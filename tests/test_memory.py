"""Running out of memory halves a batch and goes on, wherever there are batches; a fake stands for a full device."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from konvolut.asked.as_json import to_json
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import SaliencyShard
from konvolut.network import inspection, memory, models, photographs
from konvolut.network.memory import Halving
from konvolut.pictures import images
from konvolut.results import store
from konvolut.techniques import patches, saliency, trust

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")


class Cramped(torch.nn.Module):
    """A module that has memory for so many inputs; remembers how many it was asked for."""

    def __init__(self, module, most):
        super().__init__()
        self.module, self.most, self.asked = module, most, []

    def forward(self, x):
        self.asked.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError("fake")
        return self.module(x)


@pytest.fixture(scope="module")
def network():
    return models.build(TINY)


def cramped(network, most):
    return dataclasses.replace(network, module=Cramped(network.module, most))


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=["cuda", "mps", "cpu", "python"],
)
def test_batches_are_halved_until_they_fit_and_stay_so(error):
    asked = []

    def compute(part, size):
        asked.append((len(part), size))
        if len(part) > 3:
            raise error
        return sum(part)

    batches = Halving(16)
    assert list(batches.over(range(10), compute)) == [(0, 1), (2, 5), (4, 9), (6, 13), (8, 17)]
    assert asked == [(10, 16), (8, 8), (4, 4), *[(2, 2)] * 5]
    assert list(batches.over(range(3), compute)) == [(0, 1), (2, 2)]


def test_what_stands_together_is_not_parted_and_what_never_fits_ends_with_the_librarys_error():
    def never(part, size):
        raise torch.OutOfMemoryError("fake")

    def few(part, size):
        return list(part) if len(part) <= 5 else never(part, size)

    assert [made for _, made in Halving(13, together=3).over(range(9), few)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(torch.OutOfMemoryError, match="fake"):
        list(Halving(8, together=2).over(range(8), never))


def test_other_mistakes_are_no_lack_of_memory():
    def wrong(part, size):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Halving(8).over(range(8), wrong))
    assert not memory.is_out_of_memory(ValueError("not enough memory for this joke"))


def test_photographs_are_looked_at_in_smaller_batches(network):
    small = cramped(network, 2)
    seen = [SimpleNamespace(picture=picture) for picture in pictures(7)]

    def look(batch, inputs):
        return small.module(inputs)[: len(batch)]

    with torch.no_grad():
        found = list(photographs.looked_at(small, seen, look))
        expected = network.module(photographs.as_inputs(network, pictures(7)))
    assert small.module.asked == [4, 2, 2, 2, 2]
    assert [one for batch, _ in found for one in batch] == seen
    torch.testing.assert_close(torch.cat([made for _, made in found]), expected, rtol=1e-4, atol=1e-5)


def test_squares_are_hidden_in_smaller_batches(network):
    small = cramped(network, 2)
    (picture,) = pictures(1)
    expected = patches.hide_squares(network, picture, 0.5, 0.25, 3)
    found = patches.hide_squares(small, picture, 0.5, 0.25, 3)
    assert small.module.asked == [4, 2, 4, 2, 2, 2, 2, 2]
    np.testing.assert_allclose(found.drop, expected.drop, atol=1e-6)


def test_maps_are_made_in_smaller_batches(network, tmp_path, monkeypatch):
    inspection.inspect(to_json(TINY), tmp_path / "layers.csv")
    shown = []
    for number, picture in enumerate(pictures(3)):
        images.write_png(tmp_path / f"{number}.png", picture)
        shown.append(Photograph(str(number), str(number), str(tmp_path / f"{number}.png")))
    shard = SaliencyShard(TINY, tuple(shown), ("vanilla",), ("predicted",), 1, 0, "cpu")
    made = []
    for most in (4, 1):
        monkeypatch.setattr(models, "build", lambda source, device, most=most: cramped(network, most))
        saliency.compute(shard, tmp_path / "layers.csv", tmp_path / f"{most}.h5", lambda done, total: None)
        made.append(store.read_saliency(tmp_path / f"{most}.h5"))
    assert made[0].image == made[1].image == ["0", "1", "2"]
    whole, parted = (one.maps["vanilla"] for one in made)
    np.testing.assert_allclose(parted, whole, rtol=1e-3, atol=1e-4 * float(whole.max()))


def test_pictures_are_judged_in_smaller_batches(network):
    small, layer = cramped(network, 3), LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5)
    inside = dataclasses.replace(layer, name="module.blocks.1")
    expected = trust.maxima(network, [layer], pictures(9))["blocks.1"]
    found = trust.maxima(small, [inside], pictures(9))["module.blocks.1"]
    assert small.module.asked[-5:] == [2] * 4 + [1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
