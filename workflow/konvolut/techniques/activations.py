"""Activations: one forward pass per photograph, its pooled statistics in all layers, its likeliest classes.

Whole maps are kept of the photographs and layers that were asked for. Photographs come and go batch by batch: memory
does not grow with their number.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from konvolut import provenance
from konvolut.asked import selection
from konvolut.asked.censuses import layer_spec, read_census
from konvolut.asked.shards import ActivationsShard
from konvolut.errors import UserError
from konvolut.network import memory, models
from konvolut.network.photographs import Seen, batch_size, looked_at, stream
from konvolut.network.record import Recording, record
from konvolut.results import store
from konvolut.results.looks import Looks, Wanted
from konvolut.techniques import evidence

TOP_CLASSES = 5


def compute(shard: ActivationsShard, census: Path, output: Path, progress: Callable[[int, int], None]) -> None:
    """Write the activations of a shard's photographs; layers are those of the census of the same model."""
    memory.keep_freed_blocks()
    network = models.build(shard.model, models.choose_device(shard.device))
    layers = [layer_spec(Path(census), name) for name in shard.layers]
    with_maps = _layers_with_maps(shard, Path(census))
    keep = Summaries(with_maps, shard.dtype)
    problems: list[str] = []
    facts = network.facts() | {"dtype": shard.dtype, "compression": shard.compression, "draft": shard.draft}
    passport = provenance.passport(
        technique="activations", code=provenance.code_digest("techniques.activations"), **facts
    )
    done = 0
    with (
        Looks(output, passport, _wanted(shard, with_maps)) as known,
        store.new_activations(Path(output), passport, shard.compression, len(shard.maps)) as file,
        torch.no_grad(),  # not inference_mode: tensors then count their changes, see Summaries
        record(network.module, layers, keep=keep) as recording,
    ):

        def look(batch: list[Seen], inputs: Tensor) -> Recording:
            keep.rows = [row for row, one in enumerate(batch) if one.photograph.id in shard.maps]
            return recording.run(network.module, inputs)

        def looked(photographs: Sequence) -> Iterator[store.Rows]:
            seen = stream(network, photographs, draft=shard.draft, left_out=_left_out(shard, problems))
            for batch, found in looked_at(network, seen, look):
                rows = _rows(network, batch, found, keep.rows, known.sha256)
                known.keep(rows)
                yield rows

        getattr(progress, "begin", progress)(len(known), len(shard.photographs))
        for source, photographs in itertools.groupby(shard.photographs, known.source):
            part = tuple(photographs)
            for rows in known.rows(part, batch_size(network)) if source else looked(part):
                file.add_rows(rows)
                done += len(rows.texts["image"])
                progress(done + len(problems), len(shard.photographs))
        if not done:
            raise UserError(f"none of the {len(problems)} photographs can be read; the first: {problems[0]}")
        file.add({"problem": problems}, {})
        file.finish_layers()
        for layer in layers:
            file.add_evidence(layer.name, evidence.of_photographs(*file.pooled(layer.name), shard.keep))
    known.finish()


class Summaries:
    """Makes of each layer's output what is kept of it: pooled statistics, and the maps of the batch's `rows`.

    A module that hands on what another put out (a Sequential its last child's output) is not summarised twice: the
    tensor is the same one and was not changed since.
    """

    def __init__(self, layers_with_maps: Sequence[str] | None, dtype: str) -> None:
        self.layers_with_maps, self.dtype = layers_with_maps, dtype
        self.rows: list[int] = []
        self.last: tuple[Tensor | None, int, dict] = (None, 0, {})

    def __call__(self, shown: Tensor, name: str) -> dict[str, np.ndarray]:
        tensor, version, summary = self.last
        if shown is not tensor or shown._version != version:
            summary = summarise(shown)
            self.last = (shown, shown._version, summary)
        if not self.rows or (self.layers_with_maps is not None and name not in self.layers_with_maps):
            return summary
        return summary | {"maps": narrowed(shown[self.rows].float().cpu().numpy(), self.dtype)}


def summarise(shown: Tensor) -> dict[str, np.ndarray]:
    """Of (B, C, H, W): maximum and mean over H, W and the first cell of the maximum."""
    pooled = _pooled_by_library if shown.device.type == "cpu" else _pooled_at_once
    most, mean, first = (values.cpu().numpy() for values in pooled(shown.float()))
    cell = np.empty((*first.shape, 2), np.int32)
    np.divmod(first.astype(np.int32), np.int32(shown.shape[3]), out=(cell[..., 0], cell[..., 1]))
    return {"max": most, "mean": mean, "cell": cell}


def predict(network: models.Network, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Classes (n, 5) int32 and their probabilities, likeliest first; (n, 0) for a model without classes."""
    if not network.class_names:
        return np.zeros((len(logits), 0), np.int32), np.zeros((len(logits), 0), np.float32)
    top = logits.float().softmax(1).topk(min(TOP_CLASSES, logits.shape[1]))
    return top.indices.to(torch.int32).cpu().numpy(), top.values.cpu().numpy()


def narrowed(maps: np.ndarray, dtype: str) -> np.ndarray:
    """The maps in another type; what float16 cannot hold becomes its largest number, not infinity."""
    limits = np.finfo(dtype)
    return maps.clip(limits.min, limits.max).astype(dtype)


def _pooled_by_library(shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum, mean and first place of the maximum of each map.

    With channels last torch compares many at once, and so in the order that convolutions leave; numpy's argmax over
    contiguous maps takes as long for those of 112 x 112 cells and 7 times as long for those of 7 x 7.
    """
    shown = shown.contiguous(memory_format=torch.channels_last)
    most, first = F.max_pool2d(shown, shown.shape[2:], return_indices=True)
    return most[..., 0, 0], shown.mean((2, 3)), first[..., 0, 0]


def _pooled_at_once(shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat = shown.flatten(2)
    most = flat.amax(2, keepdim=True)
    cells = torch.arange(flat.shape[2], device=flat.device)
    first = torch.where(flat == most, cells, flat.shape[2]).amin(2)  # torch promises no order of equals in argmax
    first = first.clamp(max=flat.shape[2] - 1)  # a map of NaN equals nothing
    return most[..., 0], flat.mean(2), first


def _rows(
    network: models.Network, batch: list[Seen], found: Recording, rows: list[int], sha256: Callable[[str], str]
) -> store.Rows:
    """What a batch's forward pass says of its photographs; `rows` have whole maps."""
    shown = [one.photograph for one in batch]
    classes, probabilities = predict(network, found.output[: len(batch)])
    texts = {
        "image": [photograph.key for photograph in shown],
        "label": [photograph.label for photograph in shown],
        "sha256": [sha256(photograph.key) for photograph in shown],
        "predictions/name": [[network.class_names[c] for c in row] for row in classes],
        "maps_of": [shown[row].key for row in rows],
    }
    columns = {"crop": np.asarray([one.box for one in batch], np.float32)}
    columns |= {"predictions/class": classes, "predictions/probability": probabilities}
    layers = {name: {kind: values[: len(batch)] for kind, values in summary.items()} for name, summary in found.items()}
    return store.Rows(texts, columns, layers)


def _wanted(shard: ActivationsShard, with_maps: list[str] | None) -> Wanted:
    whole = {photograph.key for photograph in shard.photographs if photograph.id in shard.maps}
    mapped = shard.layers if with_maps is None else [name for name in shard.layers if name in with_maps]
    return Wanted(shard.photographs, shard.layers, whole, mapped)


def _layers_with_maps(shard: ActivationsShard, census: Path) -> list[str] | None:
    """None means all."""
    if shard.maps_layers is None:
        return None
    table = read_census(census)
    globs = tuple(glob for glob in shard.maps_layers if len(selection.meant_by(glob, table)))  # the plan refused others
    return selection.resolve_layers(globs, table, "activations", shard.model.id)


def _left_out(shard: ActivationsShard, problems: list[str]) -> Callable | None:
    """What to do with a photograph that cannot be read: None to end the job, else note it."""
    if shard.on_error != "skip":
        return None
    return lambda photograph, error: problems.append(f"image {photograph.id!r}: {error}")
