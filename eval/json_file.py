"""JSON files that are written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from eval.errors import EvaluationError


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
    check_writable(path)
    path = path.resolve()
    text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EvaluationError(f"cannot write {path}: {error.strerror or error}") from error
