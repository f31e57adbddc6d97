"""The summary of a run's metrics: latest and best value of every key, and the totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from eval.runs.metrics_file import Row, Value
from train.runs.rows import key_order

# Patterns of keys, and the sign of better values; the first pattern that fits counts.
_BETTER = {
    "*win_rate": 1,
    "*mean_margin": 1,
    "train/explained_variance": 1,
    "train/value_loss": -1,
    "time/*_per_second": 1,
}
_TOTAL = "total/"

# A value and its iteration.
_Entry = tuple[Value, Value]


class Summary:
    """Sums up rows; of equal values the first is the best."""

    def __init__(self, rows: Iterable[Row] = ()):
        self._iteration: Value = 0
        self._latest: dict[str, _Entry] = {}
        self._best: dict[str, _Entry] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Takes in the next row."""
        iteration = self._iteration = row["iteration"]
        latest, best = self._latest, self._best
        for key, value in row.items():
            if key == "iteration" or value is None:
                continue
            latest[key] = entry = (value, iteration)
            sign = _sign_of_better(key)
            if sign is None or isinstance(value, str):
                continue
            before = best.get(key)
            if before is None or sign * value > sign * float(before[0] or 0):
                best[key] = entry

    def as_json(self) -> dict[str, Any]:
        """The content of the summary's file."""
        totals = {
            key.removeprefix(_TOTAL): value
            for key, (value, _) in self._latest.items()
            if key.startswith(_TOTAL)
        }
        return {
            "iteration": self._iteration,
            "totals": _sorted(totals),
            "latest": _sorted(_as_json(self._latest)),
            "best": _sorted(_as_json(self._best)),
        }


@cache
def _sign_of_better(key: str) -> int | None:
    return next((sign for pattern, sign in _BETTER.items() if fnmatchcase(key, pattern)), None)


def _as_json(entries: Mapping[str, _Entry]) -> dict[str, dict[str, Value]]:
    return {
        key: {"value": value, "iteration": iteration} for key, (value, iteration) in entries.items()
    }


def _sorted(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entries[key] for key in sorted(entries, key=key_order)}
