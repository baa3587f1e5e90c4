"""How fast this device makes pictures: two networks climbed for a few steps, one lean and one fat (see asked.costs)."""

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from konvolut.asked.censuses import layer_spec
from konvolut.asked.costs import Speed, passes_of, write_speed
from konvolut.asked.recipes import named
from konvolut.asked.settings import ModelSource
from konvolut.network import memory, models
from konvolut.network.census import census, write_census
from konvolut.network.streamline import streamlined
from konvolut.pictures.ascent import UnitStart, ascend

# Depthwise convolutions, and dense ones of 3 x 3; each up to its last layer with a map.
SAMPLES = {"tf_efficientnet_lite0": "blocks.6", "resnet18": "layer4"}
# Steps of a short and of a long climb: what both share (start, scores, writing) falls out of the difference.
SHORT, LONG = 1, 4
LEAST = 1e-6  # seconds per GFLOP or million cells: no term of a sum is free


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a pass cost: GFLOP, millions of cells, seconds."""

    gflop: float
    mcells: float
    seconds: float


def calibrate(device: str, output: Path) -> None:
    """Measure the device and write its speed."""
    memory.keep_freed_blocks()
    chosen = models.choose_device(device)
    samples, start = [], 0.0
    for timm_name, layer in SAMPLES.items():
        network = models.build(ModelSource("calibration", "calibration", timm_name, "random:0"), chosen)
        start = start or time.process_time()  # of Python, the libraries and one network
        samples.append(sample(network, layer))
    write_speed(speed_of(chosen.type, samples, start), Path(output))


def sample(network: models.Network, layer: str) -> Sample:
    """The time of one pass, out of batches like those of the channels' recipe."""
    table = census(network)
    with tempfile.TemporaryDirectory() as folder:
        write_census(table, Path(folder) / "layers.csv")
        spec = layer_spec(Path(folder) / "layers.csv", layer)
    side = network.data.input_size[1]
    recipe = named("konvolut", keep_every=0, fields=0.0, coarse_steps=0, retries=0, size_px=side)
    lean, count = streamlined(network, layer), recipe.at_once
    seconds = []
    for steps in (SHORT, SHORT, LONG):  # the first one warms up
        began = time.perf_counter()
        units = [UnitStart(channel, (channel,)) for channel in range(count)]
        ascend(lean, spec, units, dataclasses.replace(recipe, steps=steps), (side, side))
        seconds.append(time.perf_counter() - began)
    one = passes_of(table)[layer]
    return Sample(one.gflop, one.mcells, max(seconds[2] - seconds[1], 0.0) / (LONG - SHORT) / count)


def speed_of(device: str, samples: list[Sample], start: float) -> Speed:
    """The two terms that fit the samples best, none of them below zero."""
    work = np.array([[one.gflop, one.mcells] for one in samples])
    seconds = np.array([one.seconds for one in samples])
    found = np.linalg.lstsq(work, seconds, rcond=None)[0]
    if (found < LEAST).any():  # one term alone explains it: the larger one
        alone = np.array([(work[:, term] @ seconds) / (work[:, term] @ work[:, term]) for term in (0, 1)])
        found = np.where(found >= LEAST, alone, LEAST)
    return Speed(device, float(found[0]), float(found[1]), start)
