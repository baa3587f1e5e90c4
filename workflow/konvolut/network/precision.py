"""How fast a model goes forward and back on the device at hand, in float32 and in bfloat16, and which of them to take.

Measured once per model and device, in seconds, and written down: all shards read the same table, so that the result of
a unit does not depend on how work was cut, and the next run on this machine takes the same decision.
One decision for a model: its layers differ less in what they gain than models do, and pictures of one model stay alike.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from konvolut.asked.censuses import LayerSpec, layer_spec, read_census
from konvolut.asked.precision import COLUMNS, PRECISIONS
from konvolut.asked.shards import PrecisionShard
from konvolut.network import memory, models, record
from konvolut.network.streamline import as_input, narrowed, streamlined

# Layers from the first to the last of `auto` that are measured; a picture of lite0 takes 10 ms there on a CPU.
LAYERS = 3
# Passes after the first (which allocates and compiles); the least counts, so that other jobs disturb little.
PASSES = 2
# A CPU is filled by 8 pictures; for a GPU the fastest of these that fits into its memory.
BATCHES = {"cpu": (8,), "mps": (8,)}
GPU_BATCHES = (8, 32, 128)
# bfloat16 must be so many times as fast: well beyond what two measurements of one machine differ by.
LEAST_GAIN = 1.2
# Cosine of the input's gradient in bfloat16 and in float32, the least over a batch of noise: .92 at lite0's classifier,
# .99 and more elsewhere in lite0 and in ResNet-50, whose pictures are as good; less is a model that bfloat16 breaks.
LEAST_AGREEMENT = 0.8
SEED, TINY = 0, 1e-300


def choose(shard: PrecisionShard, census: Path, output: Path, say: Callable[[str], None] = print) -> None:
    """Write the table (asked/precision.py draws it) of a model and say what was decided."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    rows = [row for layer in measured_layers(census) for row in measure(network, layer_spec(census, layer))]
    table = decide(pd.DataFrame(rows))
    table.to_csv(output, index=False, lineterminator="\n")
    say(f"{table['reason'][0]} ({table['gain'][0]} times as fast, gradients agree to {table['agreement'].min()})")


def measured_layers(census: Path) -> list[str]:
    """A few layers of `auto`, evenly from the first to the last."""
    table = read_census(census)
    auto = table[(table["refused"] == "") & (table["auto"].astype(str).str.lower() == "true")]["layer"].tolist()
    count = min(LAYERS, len(auto))
    return list(dict.fromkeys(auto[round(i * (len(auto) - 1) / max(count - 1, 1))] for i in range(count)))


def measure(network: models.Network, layer: LayerSpec) -> list[dict]:
    """A row per precision and batch: milliseconds per picture and step, and how far gradients agree with float32's."""
    lean, rows = streamlined(network, layer.name), []
    generator = torch.Generator().manual_seed(SEED)
    exact = None
    for precision in PRECISIONS:
        for batch in BATCHES.get(network.device.type, GPU_BATCHES):
            noise = torch.randn(batch, *network.data.input_size, generator=generator.manual_seed(SEED))
            row = {"layer": layer.name, "device": network.device.type, "precision": precision, "batch": batch}
            row["px"] = network.data.input_size[1]
            try:
                seconds, gradient = _timed(lean, layer, noise.to(network.device), precision)
            except (RuntimeError, NotImplementedError, TypeError) as error:  # no kernel for it, or no memory
                if precision == PRECISIONS[0] and exact is None:
                    raise
                rows.append(row | {"milliseconds": float("nan"), "agreement": 0.0, "problem": type(error).__name__})
                continue
            exact = gradient if exact is None else exact
            agreement = _agreement(gradient, exact)
            rows.append(row | {"milliseconds": 1000 * seconds / batch, "agreement": agreement, "problem": ""})
    return rows


def decide(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `chosen` (of each layer the fastest batch in the model's precision) and `reason`."""
    best = table.groupby(["layer", "precision"], sort=False)["milliseconds"].min().unstack().reindex(columns=PRECISIONS)
    plain, brief = (best[name].sum(skipna=False) for name in PRECISIONS)
    agreement = float(table[table["precision"] == PRECISIONS[1]]["agreement"].min())
    gain = float(plain / brief)
    fast, alike = gain >= LEAST_GAIN, agreement >= LEAST_AGREEMENT
    taken = PRECISIONS[1] if fast and alike else PRECISIONS[0]
    why = "clearly faster on this device" if fast else "bfloat16 is not clearly faster on this device"
    if fast and not alike:
        why = "gradients in bfloat16 are too far off"
    table = table.assign(gain=round(gain, 3), reason=f"{taken}: {why}", chosen=False)
    for _, rows in table[table["precision"] == taken].groupby("layer"):
        table.loc[rows["milliseconds"].idxmin(), "chosen"] = True
    return table.round({"milliseconds": 3, "agreement": 3})[list(COLUMNS)]


def _timed(lean: models.Network, layer: LayerSpec, noise: Tensor, precision: str) -> tuple[float, Tensor]:
    """Seconds of a pass forward to the layer and back to its input, and the gradient (B, C, H, W)."""
    climbed = narrowed(lean, precision)
    forward, clock = record.truncated(climbed, layer), _clock(lean.device.type)
    seconds = []
    for _ in range(1 + PASSES):
        inputs = as_input(noise, precision).requires_grad_()
        started = clock()
        (gradient,) = torch.autograd.grad(forward(inputs).float().square().mean(), inputs)
        seconds.append(clock() - started)
    return min(seconds[1:]), gradient.float()


def _clock(device: str) -> Callable[[], float]:
    """CPU seconds, which a busy machine does not stretch; on other devices those until all is computed."""
    if device == "cpu":
        return time.process_time

    def clock() -> float:
        getattr(torch, device).synchronize()
        return time.perf_counter()

    return clock


def _agreement(gradient: Tensor, exact: Tensor) -> float:
    """The least cosine over pictures, of those that both batches hold."""
    count = min(len(gradient), len(exact))
    a, b = (part[:count].flatten(1).double() for part in (gradient, exact))
    return float(((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=TINY)).min())
