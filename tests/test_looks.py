"""A job of activations that begins again: which photographs it looks at, and that its file is that of a quiet run."""

import dataclasses

import numpy as np
import pytest

from konvolut.network import photographs
from konvolut.pictures import images
from konvolut.results import looks, part, store
from konvolut.techniques import activations
from test_activations import COUNT, LAYERS, folder, shard_of  # noqa: F401

SIZE = photographs.BATCH["cpu"]


class Death(BaseException):
    """What kills a job in its midst; no handler of errors sees it."""


@pytest.fixture
def looked(monkeypatch):
    """Keys of the photographs that jobs look at; what they have seen is kept after each batch."""
    seen, real = [], photographs.look
    monkeypatch.setattr(looks, "SECONDS", 0.0)

    def look(network, photograph, **how):
        seen.append(photograph.key)
        return real(network, photograph, **how)

    monkeypatch.setattr(photographs, "look", look)
    return seen


def run(shard, folder, output, progress=lambda *_: None):  # noqa: F811
    activations.compute(shard, folder / "layers.csv", output, progress)


def quiet(shard, folder, output):  # noqa: F811
    """The bytes of a run that nothing came before."""
    run(shard, folder, output)
    return output.read_bytes()


def numbers(count, first=0):
    return [f"p{number}" for number in range(first, count)]


def interrupted(shard, folder, output):  # noqa: F811
    """A run that dies after its first batch."""

    def die(done, total):
        if done == SIZE:
            raise Death

    with pytest.raises(Death):
        run(shard, folder, output, die)
    assert not output.exists()


def test_after_a_death_only_what_was_not_seen_is_looked_at(folder, looked, tmp_path):  # noqa: F811
    shard, output = shard_of(folder, range(COUNT)), tmp_path / f"activations/0-{COUNT - 1}.h5"
    interrupted(shard, folder, output)
    looked.clear()
    told = []
    run(shard, folder, output, lambda *counts: told.append(counts))
    assert sorted(looked) == sorted(numbers(COUNT, SIZE))
    assert told == [(SIZE, COUNT), (SIZE, COUNT), (2 * SIZE, COUNT), (COUNT, COUNT)]
    assert output.read_bytes() == quiet(shard, folder, tmp_path / "quiet/a.h5")
    assert [path.name for path in part.folder_of(output).iterdir()] == [part.WHOLE]


def test_a_finished_file_that_snakemake_deleted_is_not_made_again(folder, looked, tmp_path):  # noqa: F811
    shard, output = shard_of(folder, range(5)), tmp_path / "activations/0-4.h5"
    before = quiet(shard, folder, output)
    output.unlink()
    looked.clear()
    run(shard, folder, output)
    assert looked == []
    assert output.read_bytes() == before


def test_more_photographs_take_what_is_known_of_the_others_from_the_neighbouring_file(folder, looked, tmp_path):  # noqa: F811
    run(shard_of(folder, range(2, 7)), folder, tmp_path / "activations/0-4.h5")
    looked.clear()
    shard, output = shard_of(folder, range(9)), tmp_path / "activations/0-8.h5"
    run(shard, folder, output)
    assert sorted(looked) == ["p0", "p1", "p7", "p8"]
    run(shard, folder, tmp_path / "alone.h5")
    found, alone = (store.read_activations(path, maps=True) for path in (output, tmp_path / "alone.h5"))
    for name in ("image", "maps_of", "sha256"):
        assert getattr(found, name) == getattr(alone, name)
    for layer in LAYERS:
        for name in ("max", "mean", "cell", "maps"):
            np.testing.assert_array_equal(getattr(found.layers[layer], name), getattr(alone.layers[layer], name))
    np.testing.assert_array_equal(found.probability, alone.probability)
    one, other = (store.read_evidence(path)[1][LAYERS[0]] for path in (output, tmp_path / "alone.h5"))
    np.testing.assert_array_equal(one.best.image, other.best.image)


def test_another_order_and_other_labels_are_those_of_the_sheet_as_it_is_now(folder, looked, tmp_path):  # noqa: F811
    shard, output = shard_of(folder, range(5)), tmp_path / "activations/0-4.h5"
    before = quiet(shard, folder, output)
    turned = tuple(dataclasses.replace(one, label="new") for one in reversed(shard.photographs))
    output.unlink()
    looked.clear()
    run(dataclasses.replace(shard, photographs=turned), folder, output)
    assert looked == []
    found = store.read_activations(output, maps=True)
    assert found.image == ["p4", "p3", "p2", "p1", "p0"]
    assert set(found.label) == {"new"}
    (tmp_path / "before.h5").write_bytes(before)
    old = store.read_activations(tmp_path / "before.h5", maps=True)
    np.testing.assert_array_equal(found.layers["layer3"].maps, old.layers["layer3"].maps[::-1])


CHANGES = {
    "dtype": {"dtype": "float16"},
    "layers": {"layers": (*LAYERS, "layer2")},
    "maps": {"maps": ("p/0", "p/1")},
    "layers with maps": {"maps": ("p/0", "p/1"), "maps_layers": ("layer3",)},
}


@pytest.mark.parametrize(
    ("before", "now"), [("none", "dtype"), ("none", "layers"), ("none", "maps"), ("layers with maps", "maps")]
)
def test_what_does_not_hold_all_that_is_asked_now_is_looked_at_again(folder, looked, tmp_path, before, now):  # noqa: F811
    asked = {"none": {"maps": ()}, **CHANGES}
    output = tmp_path / "activations/0-4.h5"
    run(shard_of(folder, range(5), **asked[before]), folder, output)
    output.unlink()
    looked.clear()
    shard = shard_of(folder, range(5), **asked[now])
    run(shard, folder, output)
    assert sorted(looked) == (["p0", "p1"] if "maps" in now else numbers(5))
    assert output.read_bytes() == quiet(shard, folder, tmp_path / "quiet/a.h5")


def test_less_than_was_known_is_taken_from_it(folder, looked, tmp_path):  # noqa: F811
    output = tmp_path / "activations/0-4.h5"
    run(shard_of(folder, range(5)), folder, output)
    output.unlink()
    looked.clear()
    shard = shard_of(folder, range(5), maps=("p/2",), layers=LAYERS[1:3])
    run(shard, folder, output)
    assert looked == []
    assert output.read_bytes() == quiet(shard, folder, tmp_path / "quiet/a.h5")


def test_a_photograph_of_other_bytes_is_looked_at_again(folder, looked, tmp_path):  # noqa: F811
    mine = tmp_path / "mine.png"
    shard = shard_of(folder, range(5))
    shard = dataclasses.replace(
        shard, photographs=(dataclasses.replace(shard.photographs[0], path=str(mine)), *shard.photographs[1:])
    )
    mine.write_bytes((folder / "0.png").read_bytes())
    output = tmp_path / "activations/0-4.h5"
    run(shard, folder, output)
    output.unlink()
    looked.clear()
    images.write_png(mine, np.zeros((40, 30, 3), np.uint8))
    run(shard, folder, output)
    assert looked == ["p0"]
    assert output.read_bytes() == quiet(shard, folder, tmp_path / "quiet/a.h5")


def test_a_damaged_batch_is_looked_at_again_and_a_damaged_photograph_is_named_again(folder, looked, tmp_path):  # noqa: F811
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    shard = shard_of(folder, range(COUNT), on_error="skip")
    spoilt = dataclasses.replace(shard.photographs[1], path=str(bad))
    shard = dataclasses.replace(shard, photographs=(shard.photographs[0], spoilt, *shard.photographs[2:]))
    output = tmp_path / f"activations/0-{COUNT - 1}.h5"

    def die(done, total):
        if done == 2 * SIZE + 1:
            raise Death

    with pytest.raises(Death):
        run(shard, folder, output, die)
    batches = sorted(part.folder_of(output).glob(looks.BATCHES))
    assert len(batches) == 2
    batches[0].write_bytes(batches[0].read_bytes()[:2000])
    looked.clear()
    run(shard, folder, output)
    assert set(looked) == {"p0", "p1", "p2", "p3", "p4", "p9"}
    found = store.read_activations(output)
    assert len(found.problem) == 1
    assert "p/1" in found.problem[0]
    assert found.image == [key for key in numbers(COUNT) if key != "p1"]
