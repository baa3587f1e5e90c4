"""One run per folder, and a clear sentence where a run cannot end well."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from konvolut import folder
from konvolut.errors import UserError

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


def test_a_folder_that_cannot_be_written_is_named(results, tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=100k", "none", tmp_path / "results"], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a read-only disk cannot be mounted here (needs root)")
    try:
        with pytest.raises(UserError, match=r"results cannot be written \(Read-only.*\): nothing was started"):
            folder.begin(results, [])
    finally:
        subprocess.run(["umount", "-l", tmp_path / "results"], check=False)


def test_only_a_folder_or_nothing_may_lie_where_results_go(tmp_path):
    folder.check_place(tmp_path / "results")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    folder.check_place(tmp_path / "there")
    folder.check_place(tmp_path / "link")
    (tmp_path / "dead").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="dead is a link that leads nowhere"):
        folder.check_place(tmp_path / "dead")
