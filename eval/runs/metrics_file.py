"""Reads the metrics of a run: one JSON object a line; a crash may have torn the last one.

A line is a row if training can have written it: a JSON object of plain values, without a key given
twice, whose `iteration` is above that of the row before. Every other line is damaged; readers leave
it out and tell its number.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from bb_jax.errors import UserError
from bb_jax.files import named_errors, read_whole
from eval.runs.layout import METRICS

Value = float | int | bool | str | None
Row = dict[str, Value]

# More numbers of damaged lines than this are not listed.
_NUMBERS_LISTED = 10
# More than any run has, and few enough for the integers of all libraries.
_MOST_ITERATIONS = 2**53


class MetricsError(UserError):
    """Metrics cannot be written or read."""


#: Turns an operating system's refusal into a MetricsError; see `bb_jax.files.named_errors`.
clear_errors = partial(named_errors, kind=MetricsError)


@dataclass(frozen=True)
class MetricsContent:
    """The content of a metrics file, without a torn last line.

    Attributes:
      rows: every row with its line, by iteration.
      damaged: every other line with its number; the first line has 1.
    """

    rows: Sequence[tuple[bytes, Row]]
    damaged: Sequence[tuple[int, bytes]]

    def damage(self, path: Path) -> str:
        """A clause that names the damaged lines; empty if there are none."""
        numbers = [str(number) for number, _ in self.damaged]
        if not numbers:
            return ""
        if len(numbers) == 1:
            return f"line {numbers[0]} of {path} is not a row of metrics"
        more = len(numbers) - _NUMBERS_LISTED
        listed = ", ".join(numbers[:_NUMBERS_LISTED]) + (f" and {more} more" if more > 0 else "")
        return f"{len(numbers)} lines of {path} are not rows of metrics ({listed})"


def read_metrics(path: Path, tell: Callable[[str], None] | None = None) -> list[Row]:
    """The rows of a metrics file; torn and damaged lines are left out.

    Args:
      path: the file, or the run's folder that holds it.
      tell: called with a sentence if lines are damaged.

    Raises:
      MetricsError: the file is missing or cannot be read.
    """
    path = path / METRICS if path.is_dir() else path
    content = read_content(path)
    if content.damaged and tell is not None:
        tell(f"{content.damage(path)}; the rest is used")
    return [row for _, row in content.rows]


def read_content(path: Path) -> MetricsContent:
    """All lines of a metrics file.

    Raises:
      MetricsError: as in `read_metrics`.
    """
    with clear_errors(path, "read"):
        *lines, last = read_whole(path).split(b"\n")
    parsed = [(number, line, _parse(line)) for number, line in enumerate(lines, start=1)]
    # The last line lacks its end: it is a row, torn or nothing.
    row = _parse(last)
    if row is not None:
        parsed.append((len(parsed) + 1, last, row))
    while parsed and not parsed[-1][1].strip():
        parsed.pop()
    found = [(number, line, row) for number, line, row in parsed if row is not None]
    in_order = _longest_ascent([iteration_of(row) for _, _, row in found])
    kept = [found[index] for index in in_order]
    numbers = {number for number, _, _ in kept}
    return MetricsContent(
        rows=[(line, row) for _, line, row in kept],
        damaged=[(number, line) for number, line, _ in parsed if number not in numbers],
    )


def _longest_ascent(values: Sequence[int]) -> list[int]:
    """Indices of a longest strictly ascending subsequence (Schensted 1961).

    A single wrong iteration, however large, costs its own row alone. Among equal values the last
    one stays.
    """
    ends: list[int] = []  # ends[n]: the least value at which an ascent of n + 1 values ends
    at: list[int] = []  # its index
    before: list[int] = []  # the index before each value in its ascent; -1 if it is the first
    for index, value in enumerate(values):
        length = bisect_left(ends, value)
        ends[length : length + 1] = [value]
        at[length : length + 1] = [index]
        before.append(at[length - 1] if length else -1)
    chosen = []
    index = at[-1] if at else -1
    while index >= 0:
        chosen.append(index)
        index = before[index]
    return chosen[::-1]


def _parse(line: bytes) -> Row | None:
    """The row in a line; None if training cannot have written it."""
    try:
        row = _DECODER.decode(line.decode())
        if b"\\u" in line:
            # Half of a surrogate pair is no text.
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not is_count(row.get("iteration")):
        return None
    return row if _are_values(row.values()) else None


def _are_values(values: Iterable[object]) -> bool:
    try:
        for value in values:
            if isinstance(value, float | int):
                if not math.isfinite(value):
                    return False
            elif value is not None and not isinstance(value, str):
                return False
    except OverflowError:
        # An integer beyond every float.
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value can be the number of an iteration."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_ITERATIONS


def iteration_of(row: Row) -> int:
    """The iteration of a row."""
    iteration = row["iteration"]
    assert isinstance(iteration, int)
    return iteration
