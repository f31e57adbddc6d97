"""Locks between processes, on files and folders of a run."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import IO

from bb_jax.errors import FileError, UserError


def take_lock(
    file: IO[str] | int, path: Path, *, wait: bool, kind: type[UserError] = FileError
) -> bool:
    """Locks an open file or folder for this process, until it is closed or the process ends.

    Args:
      file: the file or its descriptor.
      path: names it in the error.
      wait: whether to wait for another process that holds the lock.
      kind: the error to raise.

    Returns:
      Whether the lock was taken; False where another process holds it.

    Raises:
      UserError: of that kind, where the file system offers no lock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise kind(
            f"cannot lock {path}: {error.strerror or error}; put the run on a file system with "
            "file locks, such as a local disk"
        ) from error
    return True
