"""One GPU for one job: the lease of a device of this machine, which ends with its process. No torch here.

Snakemake counts GPUs but never says which one a job may use. A job that has asked for one takes the first that nobody
has locked (flock on a file per device, given back by the kernel) and sees no other. The lock is that of the device
itself, by its UUID, at a place that all users and sessions of a machine share: numbers mean other devices in each of
Slurm's allocations, and TMPDIR is another one in each session.
"""

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
ALLOCATION = "SLURM_JOB_ID"
# CUDA's own order is fastest first and may differ between jobs that see different devices; this is nvidia-smi's.
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
# Lists the devices that this process may use, though not by CUDA_VISIBLE_DEVICES.
ASK_UUIDS = ("nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader")
ANSWER_SECONDS = 60  # a driver that is loaded for the first time takes its time
POLL_SECONDS = 0.5
EVERYBODY = 0o666  # users of one machine share its GPUs
SHARED_FOLDERS = (Path("/dev/shm"), Path("/tmp"))  # the first one that there is


def devices(environment: Mapping[str, str] = os.environ, folder: Path = Path("/dev")) -> list[str]:
    """Names of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all of this machine."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(folder.glob("nvidia[0-9]*"))))]


def uuids() -> dict[str, str]:
    """The UUID of each device by its number in PCI order; empty where the driver's tool is missing or fails."""
    try:
        answer = subprocess.run(ASK_UUIDS, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(re.findall(r"^(\d+), *(\S+)$", answer, flags=re.MULTILINE))


def take_gpu(wanted: int, say: Callable[[str], None], environment: dict[str, str] = os.environ) -> int | None:
    """Leave this process the GPU that it leases, or none where it wants none; before torch is imported.

    Returns the file of the lease, open as long as the process lives; None where there is nothing to lease.
    """
    if not wanted:
        environment[VISIBLE] = ""  # a job that did not ask must not use what another one has leased
        return None
    names = devices(environment)
    known = uuids() if names else {}
    if not names or (ALLOCATION in environment and len(names) == 1 and not known):
        return None  # one device, by a number of Slurm's: nobody here can tell which one it is
    numbered_by = f"job{environment[ALLOCATION]}-" if ALLOCATION in environment else ""
    locks = {identity(name, known): name for name in names}
    locks = {key if key in known.values() else numbered_by + key: key for key in locks}
    key, lease = lease_one(list(locks), say)
    environment.update({VISIBLE: locks[key], **ORDER})
    return lease


def identity(name: str, known: Mapping[str, str]) -> str:
    """The UUID of a device that CUDA_VISIBLE_DEVICES names by number or by the beginning of its UUID, else the name."""
    alike = [uuid for uuid in known.values() if uuid.startswith(name)]
    return known.get(name) or (alike[0] if len(alike) == 1 else name)


def lease_one(keys: Sequence[str], say: Callable[[str], None], folder: Path | None = None) -> tuple[str, int]:
    """The first of the devices that is free, by the key of its lock, and the open lock; waits until one is."""
    folder = folder or next(place for place in SHARED_FOLDERS if os.access(place, os.W_OK))
    has_said = False
    while True:
        for key in keys:
            lock = _open(folder / f"konvolut-gpu-{key.replace('/', '-')}.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return key, lock
        if not has_said:
            say(f"waits for one of {len(keys)} GPUs")
            has_said = True
        time.sleep(POLL_SECONDS)


def _open(path: Path) -> int:
    """A file for locking alone, readable by everybody, so that other users' jobs wait for the same device."""
    while True:
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            before = os.umask(0)
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, EVERYBODY))
            except FileExistsError:  # somebody else was quicker
                pass
            finally:
                os.umask(before)
