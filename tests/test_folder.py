"""One run per folder, and a clear sentence where a run cannot end well."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from konvolut import folder
from konvolut.errors import UserError
from tiny_sweep import LITTLE, snakemake, write_sweep

PACKAGE = Path(folder.__file__).parents[1]
OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from konvolut import folder
held = folder.begin(Path("results"), [])
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/tiny").mkdir(parents=True)
    return Path("results")


def test_a_second_run_is_refused_and_a_killed_one_leaves_no_lock(results):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(PACKAGE)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "ready\n"
    with pytest.raises(UserError, match=rf"another run is at work in .*process {owner.pid} on .*--directory"):
        folder.begin(results, [])
    owner.kill()
    owner.wait()
    os.close(folder.begin(results, []))


@pytest.mark.parametrize("name", ["plan.tsv", "tiny/layers.csv", "photo.png"])
def test_files_of_the_future_are_named(results, name):
    path = Path(name) if name.endswith("png") else results / name
    path.touch()
    os.close(folder.begin(results, [Path("photo.png")]))
    os.utime(path, (time.time() + 3600,) * 2)
    with pytest.raises(UserError, match=rf"{name} is from the future, 60 minutes ahead of this machine's clock"):
        folder.begin(results, [Path("photo.png")])


@pytest.fixture
def disk(tmp_path):
    """A disk of 600 KB with a sweep on it."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", place]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here (needs root)")
    write_sweep(place, LITTLE)
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass


def seal(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


TROUBLES = {
    "full": (fill, r"is on a full disk: free some space; nothing was started"),
    "read-only": (seal, r"cannot be written \(Read-only file system\); nothing was started"),
}


@pytest.mark.parametrize(("trouble", "sentence"), TROUBLES.values(), ids=TROUBLES)
def test_a_disk_that_takes_nothing_more_is_named_before_a_run_begins(disk, trouble, sentence):
    trouble(disk)
    with pytest.raises(UserError, match=rf"the folder {disk}/results {sentence}"):
        folder.check_writable(disk / "results")
    run = snakemake(disk)
    assert run.returncode == 1
    assert "Traceback" not in run.stdout + run.stderr
    (said,) = [line for line in run.stderr.splitlines() if line.startswith("konvolut: ")]
    assert re.fullmatch(rf"konvolut: the folder {disk}/.snakemake {sentence}", said)


def test_a_probe_leaves_nothing(results):
    folder.check_writable(results)
    assert [path.name for path in results.iterdir()] == ["tiny"]


@pytest.mark.parametrize(("trouble", "advice"), [(fill, "free some space"), (seal, "make the results folder writable")])
def test_a_job_that_cannot_even_begin_its_log_says_so_in_one_sentence(disk, trouble, advice):
    trouble(disk)
    script = (
        f"from konvolut import job\nwith job.logged({str(disk / 'logs/one.log')!r}, 'one job'):\n    print('worked')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (said,) = run.stderr.splitlines()
    assert said.startswith("  one job: failed: ")
    assert f"{disk}/logs" in said
    assert advice in said


def test_only_a_folder_or_nothing_may_lie_where_results_go(tmp_path):
    folder.check_place(tmp_path / "results")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    folder.check_place(tmp_path / "there")
    folder.check_place(tmp_path / "link")
    (tmp_path / "dead").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="dead is a link that leads nowhere"):
        folder.check_place(tmp_path / "dead")
