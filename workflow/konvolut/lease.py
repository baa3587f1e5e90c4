"""One GPU for one job: the lease of a device of this machine, which ends with its process. No torch here.

Snakemake counts GPUs but never says which one a job may use. A job that has asked for one takes the first that nobody
has locked (flock on a file per device, given back by the kernel) and sees no other. Slurm gives devices itself.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
# CUDA's own order is fastest first and may differ between jobs that see different devices.
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
POLL_SECONDS = 0.5
EVERYBODY = 0o666  # users of one machine share its GPUs


def devices(environment: Mapping[str, str] = os.environ, folder: Path = Path("/dev")) -> list[str]:
    """Names of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all of this machine."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(folder.glob("nvidia[0-9]*"))))]


def take_gpu(wanted: int, say: Callable[[str], None], environment: dict[str, str] = os.environ) -> int | None:
    """Leave this process the GPU that it leases, or none where it wants none; before torch is imported.

    Returns the file of the lease, open as long as the process lives; None where there is nothing to lease.
    """
    if not wanted:
        environment[VISIBLE] = ""  # a job that did not ask must not use what another one has leased
        return None
    possible = devices(environment)
    if not possible or "SLURM_JOB_ID" in environment:
        return None
    name, lease = lease_one(possible, say)
    environment.update({VISIBLE: name, **ORDER})
    return lease


def lease_one(names: Sequence[str], say: Callable[[str], None], folder: Path | None = None) -> tuple[str, int]:
    """The first of the named devices that is free, and its open lock; waits until one is."""
    folder = folder or Path(tempfile.gettempdir())
    has_said = False
    while True:
        for name in names:
            lock = _open(folder / f"konvolut-gpu-{name}.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return name, lock
        if not has_said:
            say(f"waits for one of {len(names)} GPUs")
            has_said = True
        time.sleep(POLL_SECONDS)


def _open(path: Path) -> int:
    """A file for locking alone, readable by everybody, so that other users' jobs wait for the same device."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        before = os.umask(0)
        try:
            return os.open(path, os.O_RDONLY | os.O_CREAT, EVERYBODY)
        finally:
            os.umask(before)
