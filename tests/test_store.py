"""The store gives back what was put in, whole or not at all."""

import dataclasses
import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from konvolut.errors import UserError
from konvolut.results import activation_files, layout, store

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def pictures(rng, channels=3, steps=5):
    return store.Pictures(
        channel=np.arange(channels, dtype=np.int32) * 7,
        picture=rng.integers(0, 256, (channels, 9, 13, 3), dtype=np.uint8),
        step=np.array([2, 5], np.int32),
        intermediate=rng.integers(0, 256, (channels, 2, 9, 13, 3), dtype=np.uint8),
        curve=rng.normal(size=(channels, steps + 1)).astype(np.float32),
        activation=rng.normal(size=(channels, 4)).astype(np.float32),
        attempt=np.zeros(channels, np.int32),
    )


def activations(rng, dtype=np.float16, maps=True):
    values = rng.normal(size=(4, 10, 6, 5)).astype(dtype)
    flat = values.reshape(4, 10, -1).argmax(-1)
    layer = store.LayerActivations(
        maps=values if maps else None,
        max=values.max((2, 3)).astype(np.float32),
        mean=values.mean((2, 3)).astype(np.float32),
        cell=np.stack(np.unravel_index(flat, (6, 5)), -1).astype(np.int32),
    )
    return store.Activations(
        image=["a", "b", "ü", "<script>"],
        label=["", "cat", "日本", "x" * 300],
        crop=rng.random((4, 4)).astype(np.float32),
        predicted_class=rng.integers(0, 1000, (4, 5), dtype=np.int32),
        probability=rng.random((4, 5)).astype(np.float32),
        predicted_name=[[f"class {i}{j}" for j in range(5)] for i in range(4)],
        layers={"blocks.2.1": layer},
        maps_of=["a", "b", "ü", "<script>"] if maps else [],
    )


def assert_same(one, two):
    for name in one.__dataclass_fields__:
        expected, found = getattr(one, name), getattr(two, name)
        if isinstance(expected, np.ndarray):
            assert expected.dtype == found.dtype, name
            np.testing.assert_array_equal(expected, found, err_msg=name)
        elif isinstance(expected, dict):
            assert expected.keys() == found.keys()
            for key in expected:
                assert_same(expected[key], found[key])
        else:
            assert expected == found, name


def test_pictures_come_back_as_they_were(tmp_path, rng):
    written = {"noise": pictures(rng), "cat 1": pictures(rng)}
    store.write_pictures(tmp_path / "a.h5", "channels", written, {"seed": 0})
    found = store.read_pictures(tmp_path / "a.h5")
    assert found.keys() == written.keys()
    for start in written:
        assert_same(written[start], found[start])


@pytest.mark.parametrize("compression", ["blosc-lz4", "gzip", "none"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_activations_come_back_as_they_were(tmp_path, rng, compression, dtype):
    written = activations(rng, dtype)
    store.write_activations(tmp_path / "a.h5", written, {}, compression)
    assert_same(written, store.read_activations(tmp_path / "a.h5", maps=True))


def test_maps_are_read_only_where_asked_for(tmp_path, rng):
    store.write_activations(tmp_path / "a.h5", activations(rng), {}, "gzip")
    assert store.read_activations(tmp_path / "a.h5").layers["blocks.2.1"].maps is None


def test_a_file_without_maps_keeps_the_pooled_statistics(tmp_path, rng):
    written = activations(rng, maps=False)
    store.write_activations(tmp_path / "a.h5", written, {}, "gzip")
    assert_same(written, store.read_activations(tmp_path / "a.h5", maps=True))


def test_the_passport_comes_back(tmp_path, rng):
    store.write_pictures(tmp_path / "a.h5", "channels", {"noise": pictures(rng)}, {"seed": 3, "layer": "ü"})
    assert store.read_passport(tmp_path / "a.h5") == {"seed": 3, "layer": "ü"}


def test_a_flipped_byte_is_noticed(tmp_path, rng):
    path = tmp_path / "a.h5"
    written = store.Pictures(**{**vars(pictures(rng)), "picture": rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)})
    store.write_pictures(path, "channels", {"noise": written}, {})
    with h5py.File(path) as file:
        chunk = file["pictures/noise/picture"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"(?i)not a readable HDF5 file .*(read|filter|checksum)"):
        store.read_pictures(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path, rng):
    bad = pictures(rng)
    bad.__dict__["curve"] = object()
    with pytest.raises(TypeError):
        store.write_pictures(tmp_path / "a.h5", "channels", {"noise": bad}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_older_file(tmp_path, rng):
    path = tmp_path / "a.h5"
    store.write_pictures(path, "channels", {"noise": pictures(rng)}, {})
    before = path.read_bytes()
    bad = pictures(rng)
    bad.__dict__["curve"] = object()
    with pytest.raises(TypeError):
        store.write_pictures(path, "channels", {"noise": bad}, {})
    assert path.read_bytes() == before


def test_a_file_of_another_format_is_refused_with_one_sentence(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["format"] = "konvolut/0"
    with pytest.raises(UserError, match=r"konvolut/0.*konvolut/1"):
        store.read_pictures(tmp_path / "old.h5")


def test_half_a_file_is_refused_with_one_sentence(tmp_path, rng):
    path = tmp_path / "a.h5"
    store.write_pictures(path, "channels", {"noise": pictures(rng)}, {})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="not a readable HDF5 file"):
        store.read_pictures(path)


def test_the_same_contents_give_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        store.write_pictures(tmp_path / name, "channels", {"noise": pictures(np.random.default_rng(1))}, {"seed": 1})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_file_says_what_it_is_to_plain_h5py(tmp_path, rng):
    store.write_activations(tmp_path / "a.h5", activations(rng), {"seed": 0}, "gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["kind"] == "activations"
        assert json.loads(file.attrs["passport"]) == {"seed": 0}
        assert file["layers/blocks.2.1/maps"].fletcher32
        assert list(file["image"].asstr()) == ["a", "b", "ü", "<script>"]


def test_h5dump_lists_every_dataset(tmp_path, rng):
    store.write_activations(tmp_path / "a.h5", activations(rng), {}, "gzip")
    try:
        listing = subprocess.run(["h5dump", "-n", tmp_path / "a.h5"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("h5dump is not installed (Debian: hdf5-tools)")
    for name in ("/layers/blocks.2.1/maps", "/predictions/name", "/crop"):
        assert name in listing


def test_shards_are_read_as_one_file_that_moves_with_them(tmp_path, rng):
    first, second = activations(rng), activations(rng)
    home = tmp_path / "made"
    for name, content in (("0-3", first), ("4-7", second)):
        store.write_activations(home / f"activations/{name}.h5", content, {}, "none")
    store.write_joined(home / "activations.h5", sorted((home / "activations").iterdir()), {"seed": 0})
    home.rename(tmp_path / "moved")
    joined = tmp_path / "moved/activations.h5"
    assert joined.stat().st_size < 100_000
    found = store.read_activations(joined, maps=True)
    assert found.image == first.image + second.image
    assert found.predicted_name == first.predicted_name + second.predicted_name
    for layer, content in found.layers.items():
        for name in ("max", "cell", "maps"):
            parts = [getattr(one.layers[layer], name) for one in (first, second)]
            expected = [part for part in parts if part is not None]
            assert np.array_equal(getattr(content, name), np.concatenate(expected)) if expected else True
    with h5py.File(joined) as file:
        assert file["layers/blocks.2.1/max"].is_virtual
        assert file["layers/blocks.2.1/max"].attrs["description"].startswith("maximum over")


def test_h5dump_reads_compressed_maps_with_the_plugin_path_of_the_readme(tmp_path, rng):
    command = next(line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("HDF5_PLUGIN"))
    find, _, _ = command.partition(" h5dump ")
    content = activations(rng)
    store.write_activations(tmp_path / "a.h5", content, {}, "blosc-lz4")
    script = find.replace(".venv/bin/python", sys.executable)
    script += " h5dump -y -w 1 -m %.9g -d /layers/blocks.2.1/maps " + shlex.quote(str(tmp_path / "a.h5"))
    if shutil.which("h5dump") is None:
        pytest.skip("h5dump is not installed (Debian: hdf5-tools)")
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    numbers = [float(word) for word in told.split("DATA {")[1].split("}")[0].replace(",", " ").split()]
    assert np.array_equal(np.array(numbers, np.float16), content.layers["blocks.2.1"].maps.ravel())


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (500, 2048, 7, 7), (12, 32, 112, 112), (3, 1000, 1, 1)])
@pytest.mark.parametrize("compression", ["blosc-lz4", "gzip", "none"])
def test_chunks_fit_the_data_and_hold_whole_maps(shape, compression):
    maps = np.lib.stride_tricks.as_strided(np.zeros(1, np.float16), shape, (0, 0, 0, 0))
    chunks = activation_files.map_chunks(maps, len(maps), compression)
    assert chunks[2:] == shape[2:]
    assert all(0 < part <= whole for part, whole in zip(chunks, shape, strict=True))
    assert chunks[0] * chunks[1] == 1 or np.prod(chunks) * 2 <= 2 * activation_files.CHUNK_BYTES[compression]


def test_maps_that_are_not_compressed_lie_in_fewer_chunks():
    maps = np.zeros((200, 64, 7, 7), np.float16)
    chunks = {name: np.prod(activation_files.map_chunks(maps, 200, name)) for name in ("blosc-lz4", "none")}
    assert 3 < chunks["none"] / chunks["blosc-lz4"] < 5


def test_named_objects_come_back_as_they_were_numbers_and_texts_alike(tmp_path, rng):
    @dataclasses.dataclass(frozen=True)
    class Content:
        values: np.ndarray
        words: list[str]
        name: str
        share: float

    written = {
        "z": Content(rng.random((3, 4)).astype(np.float32), ["a", "ü"], "<b>", 0.5),
        "a": Content(rng.integers(0, 9, (0, 4)), ["b"], "", 0.25),
    }
    store.write_named(tmp_path / "a.h5", "things", written, {})
    found = store.read_named(tmp_path / "a.h5", Content)
    assert found.keys() == written.keys()
    for name in written:
        assert_same(written[name], found[name])


def test_every_dataset_explains_itself_in_the_words_of_the_drawing(tmp_path, rng):
    store.write_activations(tmp_path / "a.h5", activations(rng), {}, "gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        cell, maps = file["layers/blocks.2.1/cell"].attrs, file["layers/blocks.2.1/maps"].attrs
        assert (cell["description"], cell["units"]) == (
            "row and column of the (first) maximum",
            "cells of the feature map",
        )
        assert maps["units"] == "activation, as the layer puts it out"
        assert file["image"].attrs["description"] == "keys of the photographs, in the order of the image sheet"


def test_no_dataset_of_any_kind_is_left_without_a_word(tmp_path):
    from synthetic_results import small_results

    def explained(place, item):
        if isinstance(item, h5py.Dataset):
            assert item.attrs["description"].strip(), place
            assert item.attrs["units"].strip(), place
            places.append(place)

    places: list[str] = []
    for result in small_results(tmp_path):
        for path in result.folder.rglob("*.h5"):
            with h5py.File(path) as file:
                file.visititems(explained)
    assert len(places) > 100


def test_the_drawing_describes_what_lies_at_the_top_and_what_lies_in_a_layer():
    assert layout.attributes("examples", "image")["description"].startswith("keys of the photographs")
    assert layout.attributes("examples", "layers/a/image")["description"] == "rows of /image, best first"
    assert layout.attributes("activations", "layers/a/evidence/sketch/code")["description"].startswith(
        "see sketches.py"
    )
    assert layout.attributes("channels", "pictures/noise/curve")["description"].startswith("the objective before")


def test_a_result_is_on_the_disk_before_it_gets_its_name(tmp_path, rng, monkeypatch):
    path, synced = tmp_path / "0-2.h5", []
    sync = os.fsync

    def watched(number):
        sync(number)
        synced.append((os.fstat(number).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    store.write_pictures(path, "channels", {"noise": pictures(rng)}, {})
    assert synced == [(path.stat().st_ino, False)]


def test_a_disk_that_is_found_full_only_at_the_end_leaves_no_result(tmp_path, rng, monkeypatch):
    path = tmp_path / "0-2.h5"
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(errno.ENOSPC, "no space")))
    with pytest.raises(OSError, match="no space"):
        store.write_pictures(path, "channels", {"noise": pictures(rng)}, {})
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(errno.ENOSYS, "what is that?")))
    store.write_pictures(path, "channels", {"noise": pictures(rng)}, {})
    assert store.read_pictures(path)["noise"].channel.tolist() == [0, 7, 14]


@pytest.mark.parametrize("compression", ["none", "blosc-lz4"])
def test_maps_that_come_a_few_at_a_time_are_read_as_they_came_in_a_file_little_larger(tmp_path, compression):
    maps = np.random.default_rng(3).normal(size=(61, 24, 28, 28)).astype(np.float16)
    path = tmp_path / "0-60.h5"
    with store.new_activations(path, {}, compression, len(maps)) as file:
        for first, count in ((0, 1), (1, 7), (8, 40), (48, 2), (50, 11)):
            file.add_layer("layer", {"maps": maps[first : first + count]})
        blank = {name: np.zeros((1, 1)) for name in ("crop", "predictions/class", "predictions/probability")}
        file.add({}, blank)
    with h5py.File(path) as file:
        kept = file["layers/layer/maps"]
        np.testing.assert_array_equal(kept[()], maps)
        assert kept.fletcher32
        assert path.stat().st_size < kept.id.get_storage_size() + 2.2 * 2**20, "two pages, each of them not quite full"
