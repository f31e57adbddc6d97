"""Refusals of the file system, where its own words would mislead."""

import fcntl
from pathlib import Path

import pytest

from bb_jax.errors import FileError
from bb_jax.files import check_writable, named_errors, write_whole


def make_folder(path: Path) -> None:
    with named_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def write(path: Path) -> None:
    write_whole(path, b"content")


@pytest.mark.parametrize("below", ["", "runs/small"])
def test_a_broken_link_is_called_one(tmp_path, below):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    with pytest.raises(FileError, match=r"link is a symbolic link to nowhere, where nothing is$"):
        make_folder(link / below)


def test_a_broken_link_as_a_file_is_written_through_or_called_one(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "new")
    write(link)
    assert (tmp_path / "new").read_bytes() == b"content"
    link.unlink()
    link.symlink_to(tmp_path / "missing" / "new")
    with pytest.raises(FileError, match=r"link is a symbolic link to .*missing/new, where nothing"):
        write(link)
    with pytest.raises(FileError, match="missing/new: No such file or directory"):
        check_writable(link)


@pytest.mark.parametrize("below", ["", "runs/small"])
def test_a_file_in_place_of_a_folder_is_called_one(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file is a file, not a folder$"):
        make_folder(tmp_path / "file" / below)


@pytest.mark.parametrize("use", [make_folder, write, check_writable])
def test_a_long_name_is_called_too_long(tmp_path, use):
    with pytest.raises(FileError, match="a name of 300 bytes is too long"):
        use(tmp_path / ("n" * 300) / "file" if use is make_folder else tmp_path / ("n" * 300))


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written(tmp_path):
    remains = tmp_path / ".a.json.12345.partial"
    remains.write_bytes(b"hal")
    written = tmp_path / ".a.json.54321.partial"
    with open(written, "wb") as file:
        # As another process does that is writing it now.
        fcntl.flock(file, fcntl.LOCK_EX)
        others = [tmp_path / ".b.json.12345.partial", tmp_path / "a.json.partial"]
        for other in others:
            other.write_bytes(b"")
        write_whole(tmp_path / "a.json", b"{}")
        assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.json", written, *others])
