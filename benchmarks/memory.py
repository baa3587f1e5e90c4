"""Peak memory of a job: what the plan asks a scheduler for, and what the job took.

    .venv/bin/python benchmarks/memory.py [--models lite0 resnet50] [--units 16] [--recipe konvolut | maco] [--px 224]

Each layer's job runs in a process of its own through the entry point that Snakemake's script calls, with the recipe
`konvolut` and few steps (memory does not grow with steps) in float32 and in bfloat16; its peak is the largest resident
set that the kernel saw. The plan's figure also holds Snakemake's own processes beside the job (0.3 GB). Prints a table.
"""

import argparse
import dataclasses
import multiprocessing
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import peers

from konvolut.asked import costs, loads
from konvolut.asked.as_json import to_json
from konvolut.asked.built_in import named
from konvolut.asked.censuses import read_census
from konvolut.asked.cuts import asked_of_scheduler
from konvolut.asked.settings import ChannelsSettings, ModelSource, Settings
from konvolut.asked.shards import ChannelsShard
from konvolut.network import inspection
from konvolut.results import store
from konvolut.results.contents import Priors
from konvolut.techniques import channels

STEPS = 3
PRECISIONS = ("float32", "bfloat16")
KB_PER_MB = 1e6 / 1024


def peak_mb(shard: ChannelsShard, census: Path, output: Path) -> float:
    """Of this process after a job; white noise stands for what photographs have in common."""
    priors = None
    if shard.recipe.parameterisation == "maco":
        priors, side = output.with_name("priors.h5"), shard.recipe.size_px
        flat = Priors(
            np.ones((3, side, side // 2 + 1), np.float32), np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
        )
        store.write_priors(priors, flat, {})
    channels.render(shard, census, output, priors=priors)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_PER_MB


def predicted_mb(census: Path, layer: str, recipe, units: int) -> int:
    settings = Settings(models=(), images=(), channels=ChannelsSettings(recipe=recipe))
    one = costs.passes_of(read_census(census))[layer]
    return asked_of_scheduler(loads.of_channel(settings, "channels", one), units, costs.UNMEASURED)["mem_mb"]


def print_model(source: ModelSource, layers: tuple[str, ...], units: int, changes: dict, folder: Path) -> None:
    census = folder / "layers.csv"
    inspection.inspect(to_json(source), census)
    for layer in layers:
        recipe = named(**changes, steps=STEPS, keep_every=1, retries=0)
        cells = [f"{source.id:9}{layer:20}{predicted_mb(census, layer, recipe, units):8} MB"]
        for precision in PRECISIONS:
            chosen = dataclasses.replace(recipe, precision=precision)
            shard = ChannelsShard(source, layer, tuple(range(units)), chosen, 0, "cpu")
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as process:
                cells.append(f"{process.submit(peak_mb, shard, census, folder / 'out.h5').result():8.0f} MB")
            (folder / "out.h5").unlink()
        print("   ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="*", choices=peers.SOURCES, default=list(peers.SOURCES))
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--recipe", default="konvolut")
    parser.add_argument("--px", type=int, default=224)
    asked = parser.parse_args()
    changes = {"name": asked.recipe, "size_px": asked.px} | ({"coarse_steps": 1} if asked.recipe == "konvolut" else {})
    print(f"{'':29}{'asked for':>11}   {'   '.join(f'{name:>11}' for name in PRECISIONS)}")
    for model in asked.models:
        with tempfile.TemporaryDirectory() as folder:
            print_model(peers.SOURCES[model], peers.LAYERS[model], asked.units, changes, Path(folder))


if __name__ == "__main__":
    main()
