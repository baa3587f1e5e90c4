"""How a run begins and ends: what the user asked for is checked, the results folder taken and given back."""

import atexit
import gc
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from konvolut import folder
from konvolut.asked import configfiles, listed, plan, settings, survey, targets
from konvolut.asked.outputs import PLAN, RESULTS, planned_files
from konvolut.asked.sweep import Sweep
from konvolut.errors import UserError
from konvolut.results import part

BESIDE_ANOTHER_RUN = "atlas_now"
# What Snakemake makes of thousands of jobs lives as long as the run: looking for garbage in it at Python's own pace
# (700, 10, 10) is a fourteenth of a dry run.
GARBAGE = (100_000, 50, 50)


def read_or_exit(file: str, check: bool) -> str:
    """The name of a configuration file that Snakemake can read; its own complaint names neither file nor line."""
    try:
        if check and Path(file).exists():
            configfiles.read(Path(file))
    except UserError as error:
        _exit(error)
    return file


def load_or_exit(config: dict, files: Iterable[str | Path], planned: Callable, check: bool) -> Sweep:
    """The sweep that `config` describes; a user's mistake is printed as one sentence and ends Snakemake with status 1.

    `check` also looks at the `files` that Snakemake read `config` from, at the photographs and at named classes: for
    the process that the user started, not for each job. `planned` returns the output of the finished checkpoint plan.
    """
    gc.set_threshold(*GARBAGE)
    try:
        for path in files if check else ():
            configfiles.read(Path(path))
        loaded = settings.load(config, Path(), listed.anew if check else listed.as_listed)
        if check:
            folder.check_writable(folder.LOCK.parent)  # where Snakemake itself takes notes, also of a dry run
            folder.check_place(RESULTS)
            settings.check_images(loaded)
            if loaded.images_on_error == "fail":
                survey.check_whole(loaded.images, RESULTS / "photographs.tsv")
            named = [model for model in loaded.models if model.class_names or targets.asked(loaded)]
            targets.check(loaded, targets.names_before_jobs(named, RESULTS))
    except UserError as error:
        _exit(error)
    return Sweep(loaded, planned)


class Run:
    """A run of a sweep in the process that the user started."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._lock: int | None = None

    def begin(self, targets: Collection[str] = ()) -> None:
        """Before the first job: take the folder, or say in one sentence why it cannot be had and end with status 1.

        A run that only shows what another one has finished so far takes nothing.
        """
        if set(targets) == {BESIDE_ANOTHER_RUN}:
            return
        inputs = self.sweep.all_photographs() + self.sweep.all_weights()
        try:
            atexit.register(_say_how_to_go_on)  # Snakemake tells nobody when it is interrupted twice
            self._lock = folder.begin(RESULTS, map(Path, inputs))
            part.hold(RESULTS)
        except UserError as error:
            atexit.unregister(_say_how_to_go_on)
            _exit(error)

    def end(self, *, is_finished: bool) -> None:
        """After the last job: what only an unfinished run needs goes; how to go on, where there is more to do."""
        atexit.unregister(_say_how_to_go_on)
        if not is_finished:
            _say_how_to_go_on()
        if self._lock is not None and PLAN.exists():  # the parts of a run beside this one are its own
            part.tidy(RESULTS, planned_files(plan.read_plan(PLAN)))


def _exit(error: UserError) -> None:
    print(f"konvolut: {error}", file=sys.stderr)
    sys.exit(1)


def _say_how_to_go_on() -> None:
    print(
        "konvolut: the run ended before everything was done; what is finished is kept, down to the last batch,"
        " and the same command goes on from there",
        file=sys.stderr,
    )
