"""Finished units outlive the death of their job, and none is computed twice: counted, killed, compared by bytes."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from konvolut.asked.built_in import named
from konvolut.asked.censuses import LayerSpec
from konvolut.asked.settings import ModelSource, Photograph
from konvolut.asked.shards import ChannelsShard, DreamsShard, FoolingShard, InversionShard, PatchesShard, SaliencyShard
from konvolut.network import photographs as network_photographs
from konvolut.pictures import ascent, images
from konvolut.results import part, store
from konvolut.techniques import channels, dreams, fooling, inversion, patches, saliency

TINY = ModelSource("tiny", "tiny", "test_efficientnet", "random:1")
LAYERS = [LayerSpec("blocks.1", "bchw", 24, 8, 8, 4, 11, -5), LayerSpec("classifier", "bc", 10, 0, 0, 160, 160, 0)]
RECIPE = named("lucid", steps=2, keep_every=1, size_px=32, units_per_batch=2, retries=0)
DREAM = named("lab-dream", steps=2, keep_every=1, units_per_batch=2, retries=0)


class Death(Exception):  # noqa: N818 - no error of ours
    """Stands for a killed job."""


@pytest.fixture
def census(tmp_path):
    rows = [{("layer" if k == "name" else k): v for k, v in dataclasses.asdict(layer).items()} for layer in LAYERS]
    path = tmp_path / "layers.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "kind", "stage", "activation", "refused"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def photographs(tmp_path):
    found = []
    for key, (height, width) in {"wide": (48, 64), "tall": (80, 48), "square": (48, 48)}.items():
        pixels = np.random.default_rng(height + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        images.write_png(tmp_path / f"{key}.png", pixels)
        found.append(Photograph(key, key, str(tmp_path / f"{key}.png")))
    return tuple(found)


@pytest.fixture
def climbed(monkeypatch):
    """The channels of every picture that is really made."""
    made, real = [], ascent._with_retries

    def counted(network, layers, units, *rest):
        made.extend(unit.channel for unit in units)
        return real(network, layers, units, *rest)

    monkeypatch.setattr(ascent, "_with_retries", counted)
    return made


def shard_of(*numbers, recipe=RECIPE):
    return ChannelsShard(TINY, "blocks.1", numbers, recipe, 7, "cpu")


def dying_after(batches):
    """A progress that lets its job die when so many batches are finished."""
    told = []

    def progress(done, total):
        told.append(done)
        if len(told) > batches:  # the first call tells what was there before
            raise Death

    return progress


CHILD = """
import os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import test_part
from konvolut.techniques import channels
told = []
def progress(done, total):
    told.append(done)
    if len(told) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
channels.render(test_part.shard_of(0, 1, 2, 3, 4, 5), sys.argv[3], sys.argv[4], progress)
"""


def test_after_a_sigkill_only_the_unfinished_units_are_made_and_the_bytes_are_those_of_a_quiet_run(
    census, tmp_path, climbed
):
    output = tmp_path / "results/0-5.h5"
    folders = [Path(__file__).parent, Path(channels.__file__).parents[2]]
    killed = subprocess.run([sys.executable, "-c", CHILD, *map(str, [*folders, census, output])], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not output.exists()
    told = []
    channels.render(shard_of(0, 1, 2, 3, 4, 5), census, output, lambda *numbers: told.append(numbers))
    assert climbed == [4, 5]
    assert told == [(4, 6), (6, 6)]
    channels.render(shard_of(0, 1, 2, 3, 4, 5), census, tmp_path / "quiet/0-5.h5")
    assert output.read_bytes() == (tmp_path / "quiet/0-5.h5").read_bytes()


def test_a_batch_that_was_being_written_is_made_again(census, tmp_path, climbed, monkeypatch):
    output = tmp_path / "results/0-3.h5"
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(Death))
        with pytest.raises(Death):
            channels.render(shard_of(0, 1, 2, 3), census, output)
    (part.folder_of(output) / "000002.h5.tmp").write_bytes(b"half")
    channels.render(shard_of(0, 1, 2, 3), census, output)
    assert climbed == [0, 1, 0, 1, 2, 3]
    assert [path.name for path in part.folder_of(output).iterdir()] == [part.WHOLE]


@pytest.mark.parametrize(
    "change", [{"recipe": dataclasses.replace(RECIPE, steps=3)}, {"seed": 8}, {"layer": "classifier"}]
)
def test_what_a_job_of_other_parameters_left_is_not_used_and_goes(census, tmp_path, climbed, change):
    output = tmp_path / "results/0-3.h5"
    with pytest.raises(Death):
        channels.render(shard_of(0, 1, 2, 3), census, output, dying_after(1))
    left = list(part.folder_of(output).iterdir())
    assert len(left) == 1
    channels.render(dataclasses.replace(shard_of(0, 1, 2, 3), **change), census, output)
    assert climbed == [0, 1, 0, 1, 2, 3]
    assert not left[0].exists()


def test_changed_code_makes_the_units_again(census, tmp_path, climbed, monkeypatch):
    output = tmp_path / "results/0-3.h5"
    with pytest.raises(Death):
        channels.render(shard_of(0, 1, 2, 3), census, output, dying_after(1))
    monkeypatch.setattr("konvolut.provenance.code_digest", lambda *modules: "another")
    channels.render(shard_of(0, 1, 2, 3), census, output)
    assert climbed == [0, 1, 0, 1, 2, 3]


def test_a_damaged_batch_counts_as_none_wherever_the_damage_lies(census, tmp_path):
    output = tmp_path / "a/0-1.h5"
    channels.render(shard_of(0, 1), census, output)
    whole, passport = output.read_bytes(), store.read_passport(output)
    units = part.read_units(output, "channels")
    output.unlink()
    batch, refused = part.folder_of(output) / part.WHOLE, 0
    for place in range(40, len(whole), len(whole) // 100):
        batch.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = part.Part(output, "channels", passport, list(units))
        assert batch.exists() is bool(found.units)
        refused += not found.units
    assert refused > 20


def test_variants_of_a_channel_stay_together(census, tmp_path, climbed):
    recipe = named("diversity", steps=2, keep_every=0, size_px=32, units_per_batch=4, retries=0)
    shard = shard_of(0, 1, 2, recipe=recipe)
    with pytest.raises(Death):
        channels.render(shard, census, tmp_path / "a/0-2.h5", dying_after(1))
    channels.render(shard, census, tmp_path / "a/0-2.h5")
    assert climbed == [0] * 4 + [1] * 4 + [2] * 4
    channels.render(shard, census, tmp_path / "b/0-2.h5")
    assert (tmp_path / "a/0-2.h5").read_bytes() == (tmp_path / "b/0-2.h5").read_bytes()


def dreams_of(photographs, *numbers):
    return DreamsShard(TINY, "blocks.1", numbers, photographs, DREAM, 64, 7, "cpu")


def test_a_dream_goes_on_in_the_midst_of_a_photograph(census, photographs, tmp_path, climbed):
    shard = dreams_of(photographs[:2], 1, 2, 3)
    with pytest.raises(Death):
        dreams.render(shard, census, tmp_path / "a/1-3.h5", dying_after(3))
    dreams.render(shard, census, tmp_path / "a/1-3.h5")
    assert climbed == [1, 2, 3, 1, 2, 3]
    dreams.render(shard, census, tmp_path / "b/1-3.h5")
    assert (tmp_path / "a/1-3.h5").read_bytes() == (tmp_path / "b/1-3.h5").read_bytes()


def test_a_photograph_of_other_bytes_is_dreamt_of_again(census, photographs, tmp_path, climbed):
    shard = dreams_of(photographs[:2], 1, 2)
    with pytest.raises(Death):
        dreams.render(shard, census, tmp_path / "a/1-2.h5", dying_after(1))
    images.write_png(photographs[0].path, np.full((48, 64, 3), 99, np.uint8))
    dreams.render(shard, census, tmp_path / "a/1-2.h5")
    assert climbed == [1, 2, 1, 2, 1, 2]


def saliency_shard(images, *methods):
    return SaliencyShard(TINY, images, methods, ("predicted", 7), 2, 0, "cpu")


TECHNIQUES = {
    "inversion": (
        inversion,
        "invert",
        lambda images: InversionShard(TINY, "blocks.1", images, "relative", "adam", 2, 0.05, 50, 0.6, 0.1, 0, "cpu"),
    ),
    "fooling": (fooling, "fool", lambda images: FoolingShard(TINY, images, (7,), 0.9, 2, 0.5, 100, 0.8, "cpu")),
    "saliency": (saliency, "maps_of", lambda images: saliency_shard(images, "vanilla", "gradient", "deconvnet")),
    "patches": (patches, "hide_squares", lambda images: PatchesShard(TINY, images, 0.5, 0.5, 4, 64, "cpu")),
}


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_techniques_on_photographs_go_on_with_the_next_one(census, photographs, tmp_path, monkeypatch, technique):
    module, worker, shard_of_images = TECHNIQUES[technique]
    calls, real = [], getattr(module, worker)
    monkeypatch.setitem(network_photographs.BATCH, "cpu", 1)
    monkeypatch.setattr(module, worker, lambda *given: calls.append(worker) or real(*given))

    def compute(images, output, progress=lambda done, total: None):
        needs_census = technique != "fooling"
        module.compute(shard_of_images(images), *([census] if needs_census else []), output, progress)

    with pytest.raises(Death):
        compute(photographs, tmp_path / "a/0-2.h5", dying_after(2))
    compute(photographs, tmp_path / "a/0-2.h5")
    assert len(calls) == 3
    compute(photographs, tmp_path / "b/0-2.h5")
    assert (tmp_path / "a/0-2.h5").read_bytes() == (tmp_path / "b/0-2.h5").read_bytes()
    compute(photographs[:2], tmp_path / "a/0-1.h5")
    assert len(calls) == 6, "one photograph fewer takes both from the neighbouring file"


def test_maps_of_a_photograph_are_the_same_in_whatever_batch_it_is_looked_at(
    census, photographs, tmp_path, monkeypatch
):
    monkeypatch.setitem(network_photographs.BATCH, "cpu", 2)
    methods = ("vanilla", "smoothgrad", "grad_cam")  # not in the order of their names, which is that of a file

    def compute(images, output):
        saliency.compute(saliency_shard(images, *methods), census, output, lambda done, total: None)

    compute(photographs[1:], tmp_path / "a/1-2.h5")
    compute(photographs, tmp_path / "a/0-2.h5")  # the first one alone, beside the others of the neighbouring file
    compute(photographs, tmp_path / "b/0-2.h5")
    assert (tmp_path / "a/0-2.h5").read_bytes() == (tmp_path / "b/0-2.h5").read_bytes()


def test_tidying_leaves_only_the_parts_of_planned_jobs_that_are_not_finished(tmp_path):
    folder = tmp_path / "tiny/channels/blocks.1"
    for name in ("0-3.h5", "4-7.h5", "8-9.h5"):
        store.write_pictures(part.folder_of(folder / name) / "000002.h5", "channels", {}, {})
    store.write_pictures(folder / "0-3.h5", "channels", {}, {})
    part.tidy(tmp_path, [folder / "0-3.h5", folder / "4-7.h5"])
    assert sorted(path.name for path in folder.iterdir()) == ["0-3.h5", "4-7.h5.part"]
    whole = [tmp_path / model / "trust.h5" for model in ("finished", "unfinished", "gone")]
    for path in whole:
        store.write_named(part.folder_of(path) / "000001.h5", "trust", {}, {})
    store.write_named(whole[0], "trust", {}, {})
    part.tidy(tmp_path, whole[:2])
    assert [part.folder_of(path).exists() for path in whole] == [False, True, False]
