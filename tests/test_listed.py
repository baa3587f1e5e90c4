"""The list of a large set: written by the process that the user started, read by those of its jobs."""

import errno
from pathlib import Path

import pytest

from konvolut.asked import listed, sheets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A sheet with a folder of four photographs and one file with a label; four are worth a list."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listed, "WORTH_A_LIST", 4)
    for number in (1, 2, 10, 11):
        write_file(Path(f"many/{number} é.png"))
    write_file(Path("cat.png"))
    Path("images.tsv").write_text("id\tpath\tlabel\tcredit\nall\tmany\t\tme\ncat\tcat.png\ta cat\tyou\n")


def write_file(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"not looked into")


def test_a_job_sees_what_the_process_of_the_user_saw_though_the_folder_has_changed(folder):
    seen = listed.anew(Path(), "images.tsv")
    assert [one.id for one in seen] == ["all/1 é", "all/2 é", "all/10 é", "all/11 é", "cat"]
    write_file(Path("many/3.png"))
    assert listed.as_listed(Path(), "images.tsv") == seen
    assert len(listed.anew(Path(), "images.tsv")) == 6
    assert len(listed.as_listed(Path(), "images.tsv")) == 6


def test_a_list_that_cannot_be_written_keeps_nobody_from_anything(folder, monkeypatch):
    listed.anew(Path(), "images.tsv")

    def refuse(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(listed.os, "replace", refuse)
    seen = listed.anew(Path(), "images.tsv")
    assert len(seen) == 5
    assert list(listed.LIST.parent.iterdir()) == []
    assert listed.as_listed(Path(), "images.tsv") == seen


@pytest.mark.parametrize("spoil", ["sheet", "list", "few"])
def test_a_list_that_is_not_of_this_sheet_is_not_believed(folder, spoil):
    listed.anew(Path(), "images.tsv")
    if spoil == "sheet":
        Path("images.tsv").write_text("id\tpath\nall\tmany\n")
    elif spoil == "list":
        listed.LIST.write_text('{"origin"')
    else:
        for path in list(Path("many").iterdir())[:2]:
            path.unlink()
        listed.anew(Path(), "images.tsv")
        assert not listed.LIST.exists()
    assert listed.as_listed(Path(), "images.tsv") == sheets.read_images(Path(), "images.tsv")
