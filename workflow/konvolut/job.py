"""How a job behaves: its log, its progress, its threads and GPU, and how it ends."""

import contextlib
import fcntl
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import konvolut
from konvolut import lease
from konvolut.errors import UserError

# Seconds between two lines of progress on the screen: often enough to see life, rare enough to read.
PROGRESS_SECONDS = 5.0
# Seconds in which a job sees that Snakemake is gone.
WATCH_SECONDS = 1.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# How the line begins that tells why a job failed; results.progress looks for it.
FAILED = "failed: "


class Progress:
    """Keeps each step of a job in its log and prints one at most every five seconds and at the end.

    The log is locked as long as the job lives: who watches from elsewhere sees by that whether it does, and a second
    job for the same result waits for the first one, which a run that was killed may have left on a cluster.
    """

    def __init__(self, what: str, log: Path) -> None:
        self.what = what
        self.log = Path(log).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open while the job lives
        self._await_lock()
        self.log.truncate(0)
        self.log.write(f"konvolut from {konvolut.__file__}\n")
        self.started = self.printed = time.monotonic()
        self.before, self.waited = 0, 0.0  # units finished before, seconds until a GPU was free

    def _await_lock(self) -> None:
        parent, tries = os.getppid(), 0
        while not _is_locked_by_us(self.log):
            if os.getppid() != parent:  # Snakemake is gone
                sys.exit(1)
            tries += 1
            if tries == 2:  # who only looks whether it is locked holds it for a moment
                said = "waits for another job that makes the same (of a run that was killed? cancel it, or let it end)"
                print(f"  {self.what}: {said}", file=sys.stderr, flush=True)
            time.sleep(WATCH_SECONDS)

    def begin(self, done: int, total: int) -> None:
        """Note that `done` of `total` units were finished before this job."""
        self.before = done
        self(done, total)

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` units are finished."""
        now = time.monotonic()
        earlier = f" ({self.before} of them before)" if self.before else ""
        is_due = done == total or now - self.printed >= PROGRESS_SECONDS
        self.say(f"{done}/{total} done{earlier}, {now - self.started:.0f} s", is_shown=is_due)
        self.printed = now if is_due else self.printed

    def say(self, sentence: str, *, is_shown: bool = True) -> None:
        """Keep one line about this job in its log, and print it."""
        line = f"  {self.what}: {sentence}"
        if is_shown:
            print(line, file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):  # a full disk must not hide the reason
            self.log.write(line + "\n")


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Load modules without a look for garbage among their objects, neither now nor later nor at the end.

    Without this, a job that needs torch takes 1.4 times as long to load it and to go (medians of seven, in turn).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def logged(log: str, what: str, threads: int = 1, gpus: int = 0) -> Iterator[Progress]:
    """Run a job's work: errors go to its log, a user's mistake ends it with one sentence and exit status 1.

    Import torch inside the block: threads and GPU are set here, before the libraries look for them.
    """
    path = Path(log)
    progress = _begin_log(path, what)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    end_with_parent(progress)
    held = None
    try:
        began = time.monotonic()
        held = lease.take_gpu(gpus, progress.say)
        progress.waited = time.monotonic() - began
        yield progress
    except UserError as error:
        progress.say(FAILED + str(error))
        sys.exit(1)
    except OSError as error:
        progress.say(_sentence(error))
        _keep_traceback(path)
        sys.exit(1)
    except Exception as error:
        progress.say(f"{FAILED}{type(error).__name__}: {error}")
        _keep_traceback(path)
        raise
    finally:
        if held is not None:
            os.close(held)


def _is_locked_by_us(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # not every file system has locks
        return True
    return True


def end_with_parent(progress: Progress) -> None:
    """End this process when Snakemake, which started it, is gone: the next run would do the same work beside it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        progress.say("ends, as Snakemake is gone; the same command goes on from here")
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _begin_log(path: Path, what: str) -> Progress:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Progress(what, path)
    except OSError as error:  # there is no log to tell it
        print(f"  {what}: {_sentence(error, path)}", file=sys.stderr, flush=True)
        sys.exit(1)


def _sentence(error: OSError, path: Path | None = None) -> str:
    where = error.filename or path or "no file named"
    return f"{FAILED}{error.strerror or error}: {where}; {_advice(error)}"


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
