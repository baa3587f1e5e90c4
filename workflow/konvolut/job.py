"""How a job behaves: its log, its progress, its threads and how it ends."""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import konvolut
from konvolut.errors import UserError

# Seconds between two lines of progress of one job: often enough to see life, rare enough to read.
PROGRESS_SECONDS = 5.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Progress:
    """Prints how many units of a job are done, at most every five seconds and at the end."""

    def __init__(self, what: str, log: Path) -> None:
        self.what, self.log = what, Path(log)
        self.started = self.printed = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` units are finished."""
        now = time.monotonic()
        if done < total and now - self.printed < PROGRESS_SECONDS:
            return
        self.printed = now
        self.say(f"{done}/{total} done, {now - self.started:.0f} s")

    def say(self, sentence: str) -> None:
        """Print one line about this job and keep it in its log."""
        line = f"  {self.what}: {sentence}"
        print(line, file=sys.stderr, flush=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@contextlib.contextmanager
def logged(log: str, what: str, threads: int = 1) -> Iterator[Progress]:
    """Run a job's work: errors go to its log, a user's mistake ends it with one sentence and exit status 1.

    Import torch inside the block: the number of threads is set here, before the libraries look for it.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"konvolut from {konvolut.__file__}\n", encoding="utf-8")
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    progress = Progress(what, path)
    try:
        yield progress
    except UserError as error:
        progress.say(str(error))
        sys.exit(1)
    except OSError as error:
        progress.say(f"{error.strerror or error}: {error.filename or 'no file named'}; {_advice(error)}")
        _keep_traceback(path)
        sys.exit(1)
    except Exception:
        _keep_traceback(path)
        raise


def _advice(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space and run the same command: what is finished is kept"
    if error.errno in (errno.EACCES, errno.EROFS):
        return "make the results folder writable and run the same command"
    return "see the log for where it happened"


def _keep_traceback(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())
