"""Locks say who holds them only where somebody does."""

import errno
import fcntl
import os

import pytest

from bb_jax.errors import CheckpointError
from eval.runs.locks import take_lock
from train.jobs.record import JobError, record_lock
from train.runs.folder import RunFolder


def test_a_lock_is_free_again_when_its_file_is_closed(tmp_path):
    path = tmp_path / "lock"
    with open(path, "a") as first, open(path, "a") as second:
        assert take_lock(first, path, wait=False)
        assert not take_lock(second, path, wait=False)
        first.close()
        assert take_lock(second, path, wait=False)


def test_a_folder_in_training_names_the_process(tmp_path):
    folder = RunFolder(tmp_path)
    with (
        folder.lock(),
        pytest.raises(CheckpointError, match=f"is being trained by process {os.getpid()};"),
    ):
        folder.lock()
    folder.lock().close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path, monkeypatch, number
):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    advice = f"{os.strerror(number)}; put the run on a file system with file locks"
    with pytest.raises(CheckpointError, match=advice):
        RunFolder(tmp_path).lock()
    with pytest.raises(JobError, match=advice), record_lock(tmp_path):
        pass
