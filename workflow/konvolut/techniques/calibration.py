"""How fast this device makes pictures: two networks climbed for a few steps, one lean and one fat (see asked.costs)."""

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil  # Snakemake brings it

from konvolut.asked.built_in import named
from konvolut.asked.censuses import layer_spec
from konvolut.asked.costs import MB, Speed, passes_of, write_speed
from konvolut.asked.settings import ModelSource
from konvolut.network import memory, models
from konvolut.network.census import census, write_census
from konvolut.network.streamline import streamlined
from konvolut.pictures.ascent import UnitStart, ascend
from konvolut.results import store
from konvolut.results.contents import Pictures

# Depthwise convolutions, and dense ones of 3 x 3; each up to its last layer with a map.
SAMPLES = {"tf_efficientnet_lite0": "blocks.6", "resnet18": "layer4"}
# Pictures that a CPU climbs at once meanwhile: a pass of eight costs as much for each (to 5 %, measured on both
# networks) and calibration would take twice as long.
AT_ONCE_ON_CPU = 2
# Steps of a short and of a long climb: what both share (start, scores, writing) falls out of the difference.
SHORT, LONG = 1, 8
WRITTEN, SIDE_PX = 16, 224  # pictures with one intermediate each
LEAST = 1e-6  # seconds per GFLOP or million cells: no term of a sum is free


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a pass cost: GFLOP, millions of cells, seconds; and the seconds that the very first pass took longer."""

    gflop: float
    mcells: float
    seconds: float
    warm_up: float = 0.0


def calibrate(device: str, output: Path, waited: float = 0.0) -> None:
    """Measure the device and write its speed; this process has waited so many seconds for its GPU."""
    memory.keep_freed_blocks()
    chosen = models.choose_device(device)
    samples, age = [], 0.0
    for timm_name, layer in SAMPLES.items():
        network = models.build(ModelSource("calibration", "calibration", timm_name, "random:0"), chosen)
        age = age or time.time() - psutil.Process().create_time()  # with Python, the libraries and one network
        samples.append(sample(network, layer))
    start = age - waited + samples[0].warm_up  # which has the driver's start and its kernels
    write_speed(speed_of(chosen.type, samples, start, seconds_per_mb()), Path(output))


def sample(network: models.Network, layer: str) -> Sample:
    """The time of one pass, out of batches like those of the channels' recipe, on a CPU smaller ones."""
    table = census(network)
    with tempfile.TemporaryDirectory() as folder:
        write_census(table, Path(folder) / "layers.csv")
        spec = layer_spec(Path(folder) / "layers.csv", layer)
    side = network.data.input_size[1]
    recipe = named("konvolut", keep_every=0, fields=0.0, coarse_steps=0, retries=0, size_px=side)
    lean = streamlined(network, layer)
    count = AT_ONCE_ON_CPU if network.device.type == "cpu" else recipe.at_once
    seconds = []
    for steps in (SHORT, SHORT, LONG):  # the first one warms up
        began = time.perf_counter()
        units = [UnitStart(channel, (channel,)) for channel in range(count)]
        ascend(lean, spec, units, dataclasses.replace(recipe, steps=steps), (side, side))
        seconds.append(time.perf_counter() - began)
    one = passes_of(table)[layer]
    step = max(seconds[2] - seconds[1], 0.0) / (LONG - SHORT)
    return Sample(one.gflop, one.mcells, step / count, max(seconds[0] - seconds[1], 0.0))


def seconds_per_mb() -> float:
    """Wall seconds in which a megabyte of pictures is written."""
    shown = np.random.default_rng(0).integers(0, 256, (WRITTEN, 2, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    numbers = np.zeros((WRITTEN, 4), np.float32)
    channels = np.arange(WRITTEN, dtype=np.int32)
    pictures = Pictures(channels, shown[:, 0], np.ones(1, np.int32), shown[:, 1:], numbers, numbers, channels)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        store.write_pictures(Path(folder) / "pictures.h5", "channels", {"noise": pictures}, {})
        return (time.perf_counter() - began) / (shown.nbytes / MB)


def speed_of(device: str, samples: list[Sample], start: float, per_mb: float = 0.0) -> Speed:
    """The two terms that fit the samples best, none of them below zero."""
    work = np.array([[one.gflop, one.mcells] for one in samples])
    seconds = np.array([one.seconds for one in samples])
    found = np.linalg.lstsq(work, seconds, rcond=None)[0]
    if (found < LEAST).any():  # one term alone explains it: the larger one
        alone = np.array([(work[:, term] @ seconds) / (work[:, term] @ work[:, term]) for term in (0, 1)])
        found = np.where(found >= LEAST, alone, LEAST)
    return Speed(device, float(found[0]), float(found[1]), start, per_mb)
