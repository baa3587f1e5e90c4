"""What works for one small member of every family that timm lists, weights random: a table, and at its end a count.

    .venv/bin/python benchmarks/families.py [--only FAMILY ...] [--from FAMILY] [--log FILE]

With --log each row is kept in the file as soon as it is done, and the same command goes on where it was stopped.

For each: the census, activations of one photograph in all layers with units, channel pictures of two steps in an early,
a middle and a late layer, a dream of two steps at the photograph's own aspect (0.67), a vanilla saliency map; all
through the entry points that Snakemake's scripts call. What is refused says why; what raises another exception failed.
"""

import argparse
import dataclasses
import functools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

import pandas as pd
import skimage
import torch

from konvolut.asked import built_in, shards
from konvolut.asked.settings import ModelSource, Photograph
from konvolut.errors import UserError
from konvolut.network import models
from konvolut.network.census import census, write_census
from konvolut.techniques import activations, channels, dreams, saliency

import timm  # isort: skip - konvolut.network.models makes it importable beside a torchvision for another torch
from timm.models import _registry  # isort: skip - timm has no public table of architectures by family

# Of each family the member with the fewest parameters x input pixels (all built on the meta device, timm 1.0.31).
SMALLEST = """
beit_base_patch16_224 cait_xxs24_224 coat_tiny convit_tiny convmixer_768_32 cpubone_nano crossvit_tiny_240
cs3darknet_focus_s csatv2 cspnext_tiny davit_tiny deepseek_vit_412m deit_tiny_patch16_224 densenet121 dla46x_c
dpn48b edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientvim_m1 efficientvit_b0 efficientvit_m0
ese_vovnet19b_slim_dw eva02_tiny_patch14_224 fasternet_t0 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny gemma4_vit_167m
ghostnet_050 gmlp_ti16_224 halonet_h1 hardcorenas_b hgnetv2_b0 hiera_tiny_224 hieradet_small hrnet_w18_small
iformer_t inception_next_atto inception_resnet_v2 inception_v3 inception_v4 lcnetv2_small legacy_seresnet18
legacy_xception levit_128s lowformer_b0 mobilenetv3_small_050 mobilenetv5_base mobilevit_xxs mvitv2_tiny
naflexvit_base_patch16_gap nasnetalarge nest_tiny nextvit_small pit_ti_224 pnasnet5large poolformerv2_s12 pvt_v2_b0
qwen3_vit_88m rdnet_tiny regnetx_002 repghostnet_050 repvit_m1 res2next50 resnest14d resnetv2_18 rexnet_100
samvit_base_patch16_224 selecsls42 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs
swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 swinv2_tiny_window8_256 test_byobnet test_coatnet test_convnext
test_efficientnet test_mambaout test_nfnet test_resnet test_vit test_vit_relpos tiny_vit_5m_224
tnt_s_legacy_patch16_224 tresnet_m twins_svt_small vgg11 visformer_tiny vit_tiny_r_s16_p8_224 vitamin_small_224
volo_d1_224 xception41p xcit_nano_12_p8_224
"""
# Families whose smallest member has 80 to 400 million parameters in 12 to 24 equal blocks: two of those are enough.
BLOCKS = (("depth", 2),)
SHALLOW = {"beit", "deepseek_vit", "gemma4_vit", "naflexvit", "qwen3_vit", "vision_transformer_sam"}
# Beside the families: other than three colours.
OTHER_COLOURS = (("resnet10t", 1), ("resnet10t", 5))
PHOTOGRAPH = Photograph("cat", "cat", str(Path(skimage.__file__).parent / "data/chelsea.png"), "", "", "", "")
DREAM_PX, SMALL_PX = 128, 128
BRIEF = {"steps": 2, "keep_every": 1, "retries": 0, "size_px": SMALL_PX}


@dataclasses.dataclass
class Trial:
    """What one model did: layers with units and modules in all, and per technique "works", a refusal or a failure."""

    family: str
    model: str
    layers: tuple[int, int] = (0, 0)
    results: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        marks = {result.split(":")[0] for result in self.results.values()}
        return next((mark for mark in ("FAILED", "refused") if mark in marks), "works")

    def line(self) -> str:
        troubles = [f"{name} {result}" for name, result in self.results.items() if result != "works"]
        shown = f"{self.layers[0]} of {self.layers[1]}"
        return (
            f"{self.family:27}{self.model:34}{shown:>14}  {self.verdict:8}{self.seconds:7.1f} s  {'; '.join(troubles)}"
        )


def members() -> Iterator[tuple[str, str]]:
    """(family, model) for each of timm's modules."""
    families: dict[str, list[str]] = {}
    for name in timm.list_models():
        families.setdefault(_registry._model_to_module[name], []).append(name)
    for family in sorted(families):
        known = [name for name in SMALLEST.split() if name in families[family]]
        yield family, known[0] if known else min(families[family], key=size_of)


def size_of(name: str) -> float:
    """Parameters x input pixels of a model, which is not filled with numbers."""
    with torch.device("meta"):
        module = timm.create_model(name)
    side_px = (module.pretrained_cfg or {}).get("input_size", (3, 224, 224))[1]
    return sum(parameter.numel() for parameter in module.parameters()) * side_px**2


def chosen_layers(table: pd.DataFrame) -> list[str]:
    """An early, a middle and a late layer among those that the plan calls auto."""
    names = table[table["auto"]]["layer"].tolist()
    return list(dict.fromkeys([names[0], names[len(names) // 2], names[-1]]))


def try_model(family: str, source: ModelSource, folder: Path) -> Trial:
    """All techniques on one model; files go to `folder`."""
    shown = f"{source.timm_name} {dict(source.options) or ''}"
    trial, started = Trial(family, shown), time.process_time()
    layers_csv, found = folder / "layers.csv", []

    def look() -> None:
        found.append(census(models.build(source)))
        write_census(found[0], layers_csv)
        trial.layers = int((found[0]["refused"] == "").sum()), len(found[0])

    trial.results["census"] = outcome(look)
    if trial.results["census"] == "works":
        for name, technique in techniques(source, found[0], layers_csv, folder / "out.h5").items():
            trial.results[name] = outcome(technique)
    trial.seconds = time.process_time() - started
    return trial


def techniques(source: ModelSource, table: pd.DataFrame, layers_csv: Path, out: Path) -> dict[str, Callable[[], None]]:
    """Each technique of a model as a call without arguments."""
    units, layers = tuple(table[table["refused"] == ""]["layer"]), chosen_layers(table)
    picture, dream = (
        built_in.named("konvolut", **BRIEF, coarse_px=64, coarse_steps=1),
        built_in.named("lab-dream", **BRIEF),
    )
    looked = shards.ActivationsShard(
        source, (PHOTOGRAPH,), units, (PHOTOGRAPH.id,), None, "float16", "none", False, 40, "fail", "cpu"
    )
    asked = shards.SaliencyShard(source, (PHOTOGRAPH,), ("vanilla",), ("predicted",), 1, 0, "cpu")
    calls = {"activations": lambda: activations.compute(looked, layers_csv, out, silent)}
    for layer in layers:
        shard = shards.ChannelsShard(source, layer, (0, 1), picture, 0, "cpu")
        calls[f"channels of {layer}"] = functools.partial(channels.render, shard, layers_csv, out)
    shard = shards.DreamsShard(source, layers[len(layers) // 2], (0,), (PHOTOGRAPH,), dream, DREAM_PX, 0, "cpu")
    calls["dream"] = lambda: dreams.render(shard, layers_csv, out)
    calls["saliency"] = lambda: saliency.compute(asked, layers_csv, out, silent)
    return calls


def silent(done: int, total: int) -> None:
    pass


def outcome(call: Callable[[], None]) -> str:
    try:
        call()
    except UserError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return "works"


def run(rows: list[tuple[str, ModelSource]], log: Path | None) -> int:
    """Print the table; the number of models of which something failed. Rows that the log holds are printed again."""
    known = dict(line.split("\t", 2)[::2] for line in log.read_text().splitlines()) if log and log.exists() else {}
    counts = {"works": 0, "refused": 0, "FAILED": 0}
    print(f"{'family':27}{'model':34}{'layers':>14}  {'':8}{'CPU':>7}")
    for family, source in rows:
        if family not in known:
            with tempfile.TemporaryDirectory() as folder:
                trial = try_model(family, source, Path(folder))
            models.build.cache_clear()
            known[family] = trial.line()
            if log:
                with log.open("a") as file:
                    file.write(f"{family}\t{trial.verdict}\t{trial.line()}\n")
        counts[next(verdict for verdict in ("FAILED", "refused", "works") if verdict in known[family])] += 1
        print(known[family], flush=True)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), f"(peak memory {peak_gb:.1f} GB)")
    return counts["FAILED"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="FAMILY", help="these families")
    parser.add_argument("--from", dest="first", metavar="FAMILY", default="", help="this family and those after it")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep rows here and go on after the last one")
    asked = parser.parse_args()
    # One model serves all techniques: each would build it anew.
    models.build = functools.lru_cache(maxsize=1)(models.build)
    rows = [
        (family, ModelSource("m", "m", name, "random:0", BLOCKS if family in SHALLOW else ()))
        for family, name in members()
    ]
    rows += [
        (f"resnet, {n} colours", ModelSource("m", "m", name, "random:0", (("in_chans", n),)))
        for name, n in OTHER_COLOURS
    ]
    rows = [row for row in rows if (row[0] in asked.only if asked.only else row[0] >= asked.first)]
    sys.exit(run(rows, asked.log) > 0)


if __name__ == "__main__":
    main()
