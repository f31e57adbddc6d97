"""Files that are written whole or not at all, JSON above all."""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bb_jax.errors import EvaluationError


def check_writable(path: Path) -> None:
    """Tries whether a file could be written there, without touching one that exists.

    Raises:
      EvaluationError: a folder or device of that name, a missing folder, no permission, a full
        disk.
    """
    path = path.resolve()
    if path.is_dir():
        raise EvaluationError(f"cannot write {path}: it is a folder")
    if path.exists() and not path.is_file():
        raise EvaluationError(f"cannot write {path}: it is not a regular file")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
            file.write(b"{}")
    except OSError as error:
        raise EvaluationError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, data: Any) -> None:
    """Writes JSON in one step: a reader sees the old file or the new one, whatever happens.

    Raises:
      EvaluationError: as in `check_writable`; the old file is as it was.
    """
    write_whole(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file in one step, as `write_json` does."""
    check_writable(path)
    try:
        replace_file(path.resolve(), content, sync=True)
    except OSError as error:
        raise EvaluationError(f"cannot write {path}: {error.strerror or error}") from error


def replace_file(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Writes a file so that readers and crashes see the old content or the new, never a part.

    Args:
      path: of the file.
      content: all of it.
      sync: waits until it is on the disk, so that it outlives the machine's crash too.

    Raises:
      OSError: the operating system refuses; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def timestamp() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
