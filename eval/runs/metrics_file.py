"""Reads the metrics of a run: one JSON object a line; a crash may have torn the last one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TypeGuard

from bb_jax.errors import UserError
from bb_jax.files import named_errors
from eval.runs.layout import METRICS

Value = float | int | bool | str | None
Row = dict[str, Value]


class MetricsError(UserError):
    """Metrics cannot be written or read."""


#: Turns an operating system's refusal into a MetricsError; see `bb_jax.files.named_errors`.
clear_errors = partial(named_errors, kind=MetricsError)


def read_metrics(path: Path) -> list[Row]:
    """The complete rows of a metrics file; a torn last line is left out.

    Args:
      path: the file, or the run's folder that holds it.

    Raises:
      MetricsError: the file is missing, or a line before its last one is damaged.
    """
    path = path / METRICS if path.is_dir() else path
    return [row for _, row in complete_lines(path)]


def complete_lines(path: Path) -> list[tuple[bytes, Row]]:
    """The lines of a metrics file and their rows, without a torn last line.

    Raises:
      MetricsError: as in `read_metrics`.
    """
    with clear_errors(path, "read"):
        lines = path.read_bytes().split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    complete: list[tuple[bytes, Row]] = []
    for number, line in enumerate(lines, start=1):
        row = _parse(line)
        if row is not None:
            complete.append((line, row))
        elif number < len(lines):
            raise MetricsError(f"{path} is damaged: line {number} is not a row of metrics")
    return complete


def _parse(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not is_count(row.get("iteration")):
        return None
    return row


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value can be the number of an iteration."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
