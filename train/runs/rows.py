"""The metrics file of a run in training: one JSON object an iteration, appended and cut back."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from bb_jax.files import read_whole, write_whole
from eval.runs.layout import DAMAGED_METRICS
from eval.runs.metrics_file import (
    MetricsContent,
    MetricsError,
    Row,
    Value,
    clear_errors,
    is_count,
    iteration_of,
    read_content,
)


class RowsFile:
    """Appends rows, `iteration` first, then the keys in alphabetical order, `time/` keys last."""

    def __init__(self, path: Path, tell: Callable[[str], None]):
        """Opens nothing yet; `restore` comes first.

        Args:
          path: the file.
          tell: called with a sentence if lines are damaged.
        """
        self._path = path
        self._tell = tell
        self._file: IO[bytes] | None = None
        self._last_iteration = 0

    def restore(self, up_to: int | None = None) -> list[Row]:
        """Reads the rows that are there; drops a torn last one, and those above an iteration.

        Damaged lines move to a file of their own. The metrics are replaced in one step.

        Args:
          up_to: the last iteration to keep; None keeps all.

        Returns:
          The rows kept.

        Raises:
          MetricsError: the file cannot be read or written.
        """
        self.close()
        self._last_iteration = 0
        if not self._path.exists():
            return []
        found = read_content(self._path)
        if found.damaged:
            self._set_aside(found)
        kept = [
            (line, row) for line, row in found.rows if up_to is None or iteration_of(row) <= up_to
        ]
        content = b"".join(line + b"\n" for line, _ in kept)
        with clear_errors(self._path, "read"):
            changed = read_whole(self._path) != content
        if changed:
            write_whole(self._path, content, kind=MetricsError)
        rows = [row for _, row in kept]
        if rows:
            self._last_iteration = iteration_of(rows[-1])
        return rows

    def _set_aside(self, found: MetricsContent) -> None:
        """Keeps the damaged lines, before the metrics are replaced."""
        aside = self._path.with_name(DAMAGED_METRICS)
        with clear_errors(aside):
            before = read_whole(aside) if aside.exists() else b""
        lines = b"".join(line + b"\n" for _, line in found.damaged)
        # A start that was killed before it replaced the metrics has kept them already.
        if not before.endswith(lines):
            write_whole(aside, before + lines, kind=MetricsError)
        self._tell(f"{found.damage(self._path)}; moved to {aside.name}, the rest is kept")

    def append(self, row: Mapping[str, Any]) -> Row:
        """Appends a row; arguments, result and errors as in `train.runs.metrics.Metrics.write`."""
        plain = {_text(key): plain_value(key, row[key]) for key in sorted(row, key=key_order)}
        iteration = plain.get("iteration")
        if not is_count(iteration) or iteration <= self._last_iteration:
            raise ValueError(
                f"iteration must be an integer above {self._last_iteration}, not {iteration!r}"
            )
        line = json.dumps(plain, allow_nan=False).encode() + b"\n"
        with clear_errors(self._path):
            if self._file is None:
                self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 (closed in `close`)
            # A full disk takes a part of the line without an error.
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, "No space left on device")
        self._last_iteration = iteration
        return plain

    def close(self) -> None:
        """Closes the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def key_order(key: str) -> tuple[bool, bool, str]:
    """Sorts the keys of a row: `iteration` first, `time/` keys last."""
    return key != "iteration", key.startswith("time/"), key


def _text(text: str) -> str:
    """A text that every file can hold: file names may have bytes that stand for no character."""
    return text.encode(errors="backslashreplace").decode()


def plain_value(key: str, value: Any) -> Value:
    """A metric as JSON has it: numpy and device scalars become numbers, NaN and infinities None.

    Raises:
      TypeError: the value is not a scalar.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _text(value)
    scalar = np.asarray(value)
    if scalar.ndim or scalar.dtype.kind not in "biuf":
        raise TypeError(f"metric {key} must be a number, a text or None, not {value!r:.60}")
    number: bool | int | float = scalar.item()
    return None if isinstance(number, float) and not math.isfinite(number) else number
