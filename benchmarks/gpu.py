"""Channels per second on a GPU: ResNet-50, 224 px, 512 steps, and the time for all its convolutions' channels.

    .venv/bin/python benchmarks/gpu.py [--layers layer2 layer4] [--batches 32 128] [--steps 512] [--device cuda]

Recipe `lucid` without retries and intermediates, in one process. The time of a step is the difference between a long
and a short climb of the whole loop, so that scores and first calls do not count; "bare" is the streamlined network's
forward pass up to the layer and the gradient of its input at the size that the recipe shows, and "loop / bare" says
what all else takes: near 1 the network limits, well above it the launching of small kernels. The last line adds up all
convolutions: of each the step time of the measured layer nearest by FLOPs, scaled by them.

Without a GPU it says so and ends with status 1; `--device cpu` tries it out.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable

import contenders
import torch
from contenders import Subject

from konvolut.asked.built_in import named
from konvolut.asked.costs import passes_of
from konvolut.asked.settings import ModelSource
from konvolut.network import record
from konvolut.network.census import census
from konvolut.network.streamline import as_input, computes_in_bfloat16, narrowed
from konvolut.pictures.transforms import view_size

RESNET50 = ModelSource("resnet50", "resnet50", "resnet50", "random:0")
LAYERS = ("conv1", "layer1.0.conv1", "layer2", "layer3", "layer4")
PRECISIONS = ("float32", "bfloat16")
SHORT, LONG, PASSES = 2, 10, 5
MB = 1e6


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured of a layer, a precision and a batch: seconds per channel and step, and of the bare network."""

    layer: str
    precision: str
    batch: int
    seconds: float
    bare: float
    peak_mb: float


def seconds(device: torch.device, call: Callable[[], object]) -> float:
    """Until everything is computed; on a CPU those that it computed."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    wait(device)
    began = clock()
    call()
    wait(device)
    return clock() - began


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(subject: Subject, precision: str, batch: int, px: int) -> Row:
    """One row of the table; raises torch.OutOfMemoryError."""
    recipe = named("lucid", retries=0, keep_every=0, precision=precision, units_per_batch=batch)
    device, units = subject.network.device, [channel % subject.layer.channels for channel in range(batch)]

    def climb(steps: int) -> None:
        contenders.konvolut(subject, units, dataclasses.replace(recipe, steps=steps), px)

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    climb(SHORT)  # first calls allocate and choose kernels
    spent = seconds(device, lambda: climb(LONG)) - seconds(device, lambda: climb(SHORT))
    peak_mb = torch.cuda.max_memory_allocated(device) / MB if device.type == "cuda" else float("nan")
    bare = bare_time(subject, precision, torch.randn(batch, 3, *view_size((px, px), recipe.transforms), device=device))
    return Row(subject.layer.name, precision, batch, spent / (LONG - SHORT) / batch, bare / batch, peak_mb)


def bare_time(subject: Subject, precision: str, noise: torch.Tensor) -> float:
    """Seconds of a pass of the whole batch, the least of a few."""
    forward = record.truncated(narrowed(subject.lean, precision), subject.layer)
    inputs = as_input(noise, precision).requires_grad_()

    def once() -> None:
        torch.autograd.grad(forward(inputs).float().mean(), inputs)

    once()
    return min(seconds(noise.device, once) for _ in range(PASSES))


def all_convolutions(best: dict[str, Row], network, steps: int) -> tuple[int, float]:
    """Channels of all convolutions, and seconds for their pictures by the best row of the nearest measured layer."""
    table = census(network)
    passes = passes_of(table)
    channels, total = 0, 0.0
    for row in table[table["kind"].str.contains("Conv2d")].itertuples():
        one = passes[row.layer]
        nearest = min(best, key=lambda layer: abs(passes[layer].gflop - one.gflop))
        channels += row.channels
        total += row.channels * steps * best[nearest].seconds * one.gflop / passes[nearest].gflop
    return channels, total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", nargs="*", default=list(LAYERS))
    parser.add_argument("--batches", nargs="*", type=int, default=[32, 128, 256])
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--px", type=int, default=224)
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: torch sees no CUDA device; --device cpu tries the benchmark out", file=sys.stderr)
        return 1
    name = torch.cuda.get_device_name() if asked.device == "cuda" else asked.device
    print(f"{name}, torch {torch.__version__}, resnet50, {asked.px} px, {asked.steps} steps")
    heads = f"{'channels / s':>14}{'ms a step':>11}{'loop / bare':>13}{'peak MB':>9}"
    print(f"{'layer':18}{'precision':11}{'batch':>5}{heads}")
    best: dict[str, Row] = {}
    for layer in asked.layers:
        subject = contenders.open_subject(RESNET50, layer, asked.device)
        for precision in PRECISIONS:
            if precision == "bfloat16" and not computes_in_bfloat16(subject.network.device):
                print(f"{layer:18}{precision:11}  this CPU cannot compute in it", flush=True)
                continue
            for batch in asked.batches:
                try:
                    row = measured(subject, precision, batch, asked.px)
                except torch.OutOfMemoryError:
                    print(f"{layer:18}{precision:11}{batch:5}   out of memory", flush=True)
                    break
                cells = f"{1 / (row.seconds * asked.steps):14.2f}{1000 * row.seconds * batch:11.2f}"
                cells += f"{row.seconds / row.bare:13.2f}{row.peak_mb:9.0f}"
                print(f"{layer:18}{precision:11}{batch:5}{cells}", flush=True)
                if layer not in best or row.seconds < best[layer].seconds:
                    best[layer] = row
    if best:
        channels, total = all_convolutions(best, subject.network, asked.steps)
        print(f"all {channels:,} channels of convolutions: {total / 60:.0f} minutes ({channels / total:.1f} a second)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
