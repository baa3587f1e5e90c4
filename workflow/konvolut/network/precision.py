"""How fast a model goes forward and back on the device at hand, in float32 and in bfloat16 and in batches of several
sizes, and which of them to take.

Measured once per model and device, in seconds, and written down: all shards read the same table, so that the result of
a unit does not depend on how work was cut, and the next run on this machine takes the same decision.
One precision for a model: its layers differ less in what they gain than models do, and pictures of one model stay
alike. The batch, which no picture depends on, is each layer's own.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from konvolut.asked.censuses import LayerSpec, layer_spec, of_auto, read_census
from konvolut.asked.costs import passes_of
from konvolut.asked.loads import most_at_once
from konvolut.asked.precision import COLUMNS, LEAST_BATCH_GAIN, PRECISIONS, best_batch
from konvolut.asked.recipes import AT_ONCE
from konvolut.asked.shards import PrecisionShard
from konvolut.errors import UserError
from konvolut.network import memory, models, record
from konvolut.network.streamline import as_input, narrowed, streamlined

# Layers from the first to the last of `auto` that are measured; a picture of lite0 takes 10 ms there on a CPU.
LAYERS = 3
# Passes after the first (which allocates and compiles); the least counts, so that other jobs disturb little.
PASSES = 2
# Both precisions are compared in batches of these sizes: a CPU is filled by 8 pictures, a GPU by one of these.
COMPARED = {"cuda": (8, 32, 128)}
COMPARED_ELSEWHERE = (AT_ONCE,)
# On CPUs the precision that is taken is also measured in these, as long as doubling pays and memory goes.
BATCHES = (4, 8, 16, 32)
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
    layers, passes = measured_layers(census), passes_of(read_census(census))
    rows = [row for layer in layers for row in measure(network, layer_spec(census, layer))]
    if network.device.type == "cpu":
        taken = decide(pd.DataFrame(rows)).query("chosen")["precision"].iloc[0]
        for layer in layers:
            known = [row for row in rows if (row["layer"], row["precision"]) == (layer, taken)]
            rows += more_batches(network, layer_spec(census, layer), known, most_at_once(passes[layer], 1.0))
    table = decide(pd.DataFrame(rows))
    table.to_csv(output, index=False, lineterminator="\n")
    figures = f" ({table['gain'][0]} times as fast, gradients agree to {table['agreement'].min()})"
    say(table["reason"][0] + (figures if table["gain"].notna().all() else ""))
    batches = ", ".join(map(str, table.query("chosen")["batch"]))
    say(f"batches of {batches} of the model's own inputs in {', '.join(layers)}")


def measured_layers(census: Path) -> list[str]:
    """A few layers of `auto`, evenly from the first to the last."""
    table = read_census(census)
    auto = of_auto(table)["layer"].tolist()
    count = min(LAYERS, len(auto))
    return list(dict.fromkeys(auto[round(i * (len(auto) - 1) / max(count - 1, 1))] for i in range(count)))


def measure(network: models.Network, layer: LayerSpec) -> list[dict]:
    """A row per precision and batch: milliseconds per picture and step, and how far gradients agree with float32's."""
    lean, rows = streamlined(network, layer.name), []
    exact = None
    for precision in PRECISIONS:
        for batch in COMPARED.get(network.device.type, COMPARED_ELSEWHERE):
            row = {"layer": layer.name, "device": network.device.type, "precision": precision, "batch": batch}
            row["px"] = network.data.input_size[1]
            try:
                seconds, gradient = _timed(lean, layer, _noise(network, batch), precision)
            except (UserError, RuntimeError, NotImplementedError, TypeError) as error:  # no kernel for it, no memory
                if precision == PRECISIONS[0] and exact is None:
                    raise
                rows.append(row | {"milliseconds": float("nan"), "agreement": 0.0, "problem": _problem(error)})
                continue
            exact = gradient if exact is None else exact
            agreement = _agreement(gradient, exact)
            rows.append(row | {"milliseconds": 1000 * seconds / batch, "agreement": agreement, "problem": ""})
    return rows


def more_batches(network: models.Network, layer: LayerSpec, known: list[dict], most: int) -> list[dict]:
    """Rows of further batches of up to `most` pictures, as long as each is clearly faster than the one before; `known`
    are the layer's rows in the precision that is taken."""
    lean, rows = streamlined(network, layer.name), []
    before = None
    for batch in (batch for batch in BATCHES if batch <= most):
        row = next((row for row in known if row["batch"] == batch), None)
        if row is None:
            seconds, _ = _timed(lean, layer, _noise(network, batch), known[0]["precision"])
            row = known[0] | {"batch": batch, "milliseconds": 1000 * seconds / batch}
            rows.append(row)
        if before is not None and before < LEAST_BATCH_GAIN * row["milliseconds"]:
            break
        before = row["milliseconds"]
    return rows


def decide(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `chosen` (of each layer the best batch in the model's precision) and `reason`."""
    both = table.groupby(["layer", "batch"])["precision"].transform("nunique") == len(PRECISIONS)
    compared = table[both].groupby(["layer", "precision"], sort=False)["milliseconds"].min()
    best = compared.unstack().reindex(columns=PRECISIONS)
    plain, brief = (best[name].sum(skipna=False) for name in PRECISIONS)
    agreement = float(table[table["precision"] == PRECISIONS[1]]["agreement"].min())
    gain = float(plain / brief)
    fast, alike = gain >= LEAST_GAIN, agreement >= LEAST_AGREEMENT
    taken = PRECISIONS[1] if fast and alike else PRECISIONS[0]
    why = "clearly faster on this device" if fast else "bfloat16 is not clearly faster on this device"
    if math.isnan(gain):
        why = "bfloat16 does not run on this device"
    if fast and not alike:
        why = "gradients in bfloat16 are too far off"
    table = table.assign(gain=round(gain, 3), reason=f"{taken}: {why}", chosen=False)
    for _, rows in table[table["precision"] == taken].groupby("layer"):
        table.loc[rows.index[rows["batch"] == best_batch(rows)], "chosen"] = True
    return table.round({"milliseconds": 3, "agreement": 3})[list(COLUMNS)]


def _problem(error: Exception) -> str:
    """What an error says in its first line."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _noise(network: models.Network, batch: int) -> Tensor:
    """Inputs (batch, C, H, W), the first ones of any larger batch."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randn(batch, *network.data.input_size, generator=generator).to(network.device)


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
    a, b = (part[:count].flatten(1).cpu().double() for part in (gradient, exact))
    return float(((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=TINY)).min())
