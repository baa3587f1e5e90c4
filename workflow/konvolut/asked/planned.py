"""What the finished plan says to those who ask thousands of times: its rows and photographs, read once."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from konvolut.asked import chosen, plan, selection, survey
from konvolut.asked.settings import Settings


class Planned:
    """The plan and the photographs of a sweep, as soon as they are there.

    `finished` returns the output of the checkpoint `plan`: the paths `plan` and `photographs`. Until that is made it
    raises what makes Snakemake ask again later.
    """

    def __init__(self, wanted: Settings, finished: Callable) -> None:
        self.settings = wanted
        self.finished = functools.cache(finished)  # Snakemake takes its time to say it; what is planned stays so

    def rows(self, technique: str, *place: str) -> list[dict]:
        """Rows of a technique in the plan's order; `place` is a model, or a model and a layer ("": all at once)."""
        return _cached(_by_place, self.finished().plan).get((technique, *place), [])

    def row(self, technique: str, model: str, layer: str, first: str, last: str) -> dict | None:
        """The row of one shard."""
        return _cached(_by_shard, self.finished().plan).get((technique, model, layer, first, last))

    def channels(self, technique: str, wildcards) -> tuple[int, ...]:
        """The channels of a shard of the plan; of any other range that somebody asks for, all from first to last."""
        row = self.row(technique, wildcards.model, wildcards.layer, wildcards.first, wildcards.last)
        span = range(int(wildcards.first), int(wildcards.last) + 1)
        return selection.parse_channels(row["channels"]) if row else tuple(span)

    def photographs(self, technique: str, wildcards) -> chosen.Photographs:
        """The photographs that a shard of `technique` is about, of those that can be read."""
        images = self.readable()
        if technique in plan.ON_CHOSEN_IMAGES:
            images = images.only(getattr(self.settings, technique).images)
        if hasattr(wildcards, "first") and technique not in plan.OF_CHANNELS:  # whose shards are channels
            return images.between(int(wildcards.first), int(wildcards.last))
        return images

    def readable(self) -> chosen.Photographs:
        """All photographs that can be read."""
        return _cached(self._readable, self.finished().photographs)

    def _readable(self, path: Path) -> chosen.Photographs:
        table = survey.read_survey(path)
        row_of = {key: row for row, key in enumerate(table["key"])}
        images = survey.readable(self.settings.images, table)
        return chosen.Photographs(images, [row_of[photograph.key] for photograph in images])


def _by_shard(path: Path) -> dict[tuple[str, ...], dict]:
    """Rows of the plan by technique, model, layer, first and last, each as wildcards have it."""
    names = ("technique", "model", "layer", "first", "last")
    return {tuple(str(row[name]) for name in names): row for row in _cached(_records, path)}


def _by_place(path: Path) -> dict[tuple[str, ...], list[dict]]:
    """Rows of the plan, in its order, by technique; by technique and model; by technique, model and layer."""
    found: dict[tuple[str, ...], list[dict]] = {}
    for row in _cached(_records, path):
        names = (row["technique"], row["model"], row["layer"])
        for count in (1, 2, 3):
            found.setdefault(names[:count], []).append(row)
    return found


def _records(path: Path) -> list[dict]:
    return plan.read_plan(path).to_dict("records")


def _cached(read: Callable[[Path], object], path: str | Path):
    """What `read` makes of a table that thousands of jobs ask for, read again only when its file has changed."""
    return _read_once(read, str(path), os.stat(path).st_mtime_ns)  # a Path would take longer than the look


@functools.lru_cache(maxsize=8)
def _read_once(read: Callable[[Path], object], path: str, _mtime_ns: int):
    return read(Path(path))
