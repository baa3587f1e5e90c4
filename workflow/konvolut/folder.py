"""One run per folder: its lock, and what must hold before a run begins. No torch here.

Snakemake's own lock outlives the death of its owner and asks for --unlock; a lock of the kernel's does not. So the
profiles switch Snakemake's off (nolock).
"""

import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from konvolut.errors import UserError

LOCK = Path(".snakemake/konvolut.lock")
# Two machines that share a file system agree on the time no better than this.
CLOCK_SECONDS = 5.0
SECONDS_PER_MINUTE = 60
# A full disk still takes empty files; so much is what Snakemake notes down before the first job.
PROBE_BYTES = 1 << 20


def begin(results: Path, inputs: Iterable[Path]) -> int:
    """Refuse what cannot end well with a UserError; returns the folder's lock, which ends with this process."""
    check_writable(results)
    lock = take(LOCK)
    os.truncate(lock, 0)
    os.write(lock, f"process {os.getpid()} on {os.uname().nodename}".encode())
    _check_clock([*results.glob("*.tsv"), *results.glob("*/layers.csv"), *results.glob("*/model.json"), *inputs])
    return lock


def check_place(results: Path) -> None:
    """Raise UserError where something else lies in the place of the folder `results`: Snakemake would trip over it."""
    if os.path.lexists(results) and not results.is_dir():
        what = "a link that leads nowhere" if results.is_symlink() else "a file"
        raise UserError(f"{results.absolute()} is {what}, and results need a folder there: move it away")


def take(path: Path = LOCK) -> int:
    """The folder's lock, which ends with this process or its file; a UserError names the run that holds it."""
    path.parent.mkdir(exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.read(lock, 100).decode(errors="replace").strip()
        raise UserError(
            f"another run is at work in {Path.cwd()} ({owner}); wait for its end, or give this one a folder of its own"
            " with --directory"
        ) from error
    except OSError as error:
        said = f"this file system has no locks ({error.strerror}): see to it that no other run is at work here"
        print(f"konvolut: {said}", file=sys.stderr)
    return lock


def check_writable(folder: Path) -> None:
    """Raise UserError where not even a megabyte can be written in `folder`, which is made where it is missing."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "is on a full disk: free some space" if is_full else f"cannot be written ({error.strerror})"
        raise UserError(f"the folder {folder.resolve()} {why}; nothing was started") from error


def _check_clock(paths: Iterable[Path]) -> None:
    """Files of the future would be newer than all that is made of them, which would be made again and again."""
    now = time.time()
    for path in paths:
        if path.exists() and path.stat().st_mtime > now + CLOCK_SECONDS:
            ahead = (path.stat().st_mtime - now) / SECONDS_PER_MINUTE
            raise UserError(
                f"{path} is from the future, {ahead:.0f} minutes ahead of this machine's clock: set the clock right, or"
                f" touch the file if it is right already"
            )
