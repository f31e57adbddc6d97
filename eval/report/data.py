"""What a report needs of a run, read from its folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from bb_jax.errors import EvaluationError, UserError
from bb_jax.files import read_object
from eval.matches.match import MatchResult
from eval.runs.layout import CONFIGURATION, FINAL_EVALUATION, LADDER, MANIFEST, METRICS
from eval.runs.metric_keys import Kind, opponent_key, opponent_of
from eval.runs.metrics_file import Row, read_metrics
from eval.statistics.reference import PUBLIC_BASELINE

_PAST_CHECKPOINT = "checkpoint:"
# Names of opponents that are neither named opponents nor agents.
SELF, CHECKPOINTS = "self", "past checkpoints"


@dataclass(frozen=True)
class Rating:
    """The Elo of a checkpoint.

    Attributes:
      step: completed iterations.
      rating: the Elo; random has 0.
      error: the Elo's standard error; None if it is not known.
      label: a word for its strength; may be empty.
      above_predecessor: the likelihood that it is stronger than the checkpoint before it on the
        ladder; None if it is not on the ladder, or the first there.
    """

    step: int
    rating: float
    error: float | None
    label: str
    above_predecessor: float | None = None


@dataclass(frozen=True)
class RunData:
    """A run, as a report needs it.

    Attributes:
      name: the report's name for it.
      folder: the run's folder.
      rows: metrics, one row an iteration.
      configuration: the configuration of its last start; empty if it was not kept.
      final: the final evaluation; None if there is none.
      results: the results in the final evaluation.
      entries: the manifest's entries, one for each checkpoint that is kept.
      ladder: the content of `ladder.json`; empty if there is none.
      notes: sentences about what could not be read.
    """

    name: str
    folder: Path
    rows: Sequence[Row]
    configuration: dict[str, Any] = field(default_factory=dict)
    final: dict[str, Any] | None = None
    results: Sequence[MatchResult] = ()
    entries: Sequence[dict[str, Any]] = ()
    ladder: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def scoring(self) -> str:
        return str(self.configuration.get("scoring", "points"))

    def series(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Iterations int64 [N] and values float64 [N] of the rows that have a number for a key."""
        found = [
            (row["iteration"], value)
            for row in self.rows
            if isinstance(value := row.get(key), int | float)
        ]
        iterations = np.array([iteration for iteration, _ in found], np.int64)
        return iterations, np.array([value for _, value in found], np.float64)

    def latest(self, key: str) -> float | None:
        """The newest number of a key."""
        values = self.series(key)[1]
        return float(values[-1]) if len(values) else None

    def evaluated_opponents(self) -> list[str]:
        """The opponents in the evaluations; the named ones first, in their usual order."""
        keys = {key for row in self.rows for key in row}
        return in_usual_order(
            opponent for key in keys if (opponent := opponent_of(key, "eval", "win_rate"))
        )

    def shares(self) -> dict[str, np.ndarray]:
        """Each opponent's share of the games, float64 [I] over all rows; checkpoints together."""
        return self._by_opponent("weight", "", lambda values, _: values.sum(axis=0))

    def met(self) -> dict[str, np.ndarray]:
        """Each opponent's win rate in training, float64 [I] over all rows; NaN if not met."""

        def mean(rates: np.ndarray, games: np.ndarray) -> np.ndarray:
            played = games.sum(axis=0)
            wins = (np.nan_to_num(rates) * games).sum(axis=0)
            return np.where(played > 0, wins / np.maximum(played, 1), np.nan)

        return self._by_opponent("met", "win_rate", mean)

    def _by_opponent(
        self, kind: Kind, quantity: str, combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> dict[str, np.ndarray]:
        members: dict[str, dict[str, None]] = {}
        for row in self.rows:
            for key in row:
                if name := opponent_of(key, kind, quantity):
                    group = CHECKPOINTS if name.startswith(_PAST_CHECKPOINT) else name
                    members.setdefault(group, {})[name] = None
        found = {}
        for group in in_usual_order(members):
            names = members[group]
            values = np.array([self._column(opponent_key(kind, n, quantity)) for n in names])
            games = np.array([self._column(opponent_key(kind, n, "games")) for n in names])
            if kind == "weight":
                values = np.nan_to_num(values)
            found[group] = combine(values, np.nan_to_num(games))
        return found

    def _column(self, key: str) -> np.ndarray:
        """A key's values over all rows, float64 [I]; NaN where it has no number."""
        values = (row.get(key) for row in self.rows)
        return np.array([v if isinstance(v, int | float) else np.nan for v in values], np.float64)

    def iterations(self) -> np.ndarray:
        """The iterations of all rows, int64 [I]."""
        return np.array([row["iteration"] for row in self.rows], np.int64)

    def ratings(self) -> list[Rating]:
        """Ratings by step: from the ladder, else from the manifest; labels from the manifest."""
        found: dict[int, Rating] = {}
        labels = {
            entry["step"]: str(entry.get("label") or "")
            for entry in self.entries
            if isinstance(entry.get("step"), int)
        }
        for entry in [*self.entries, *_objects(self.ladder, "checkpoints")]:
            elo, step, above = entry.get("elo"), entry.get("step"), entry.get("above_predecessor")
            rating = elo.get("rating") if isinstance(elo, dict) else None
            if isinstance(elo, dict) and isinstance(step, int) and _is_number(rating):
                error = elo.get("error")
                found[step] = Rating(
                    step,
                    float(rating),
                    float(error) if _is_number(error) else None,
                    labels.get(step, ""),
                    float(above) if _is_number(above) else None,
                )
        return [found[step] for step in sorted(found)]

    def checkpoint_win_rates(self) -> dict[int, dict[str, float]]:
        """Win rates by step and opponent, from the manifest and the ladder's matches."""
        found: dict[int, dict[str, float]] = {}

        def note(step: Any, opponent: Any, result: Any) -> None:
            rate = result.get("win_rate") if isinstance(result, dict) else None
            if isinstance(step, int) and _is_number(rate):
                found.setdefault(step, {}).setdefault(str(opponent), float(rate))

        for entry in self.entries:
            win_rates = entry.get("win_rates")
            for opponent, result in win_rates.items() if isinstance(win_rates, dict) else ():
                note(entry.get("step"), opponent, result)
        for match in _objects(self.ladder, "matches"):
            note(match.get("step"), match.get("opponent", "?"), match)
        return dict(sorted(found.items()))


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and abs(value) <= sys.float_info.max


def _objects(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a JSON list; the file may come from another version."""
    found = content.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def in_usual_order(opponents: Iterable[str]) -> list[str]:
    """Sorts names: the named opponents as usual, self-play and checkpoints, then the others."""
    usual = [*PUBLIC_BASELINE, SELF, CHECKPOINTS]
    found = dict.fromkeys(opponents)
    others = sorted(name for name in found if name not in usual)
    return [name for name in usual if name in found] + others


def read_runs(folders: Sequence[Path]) -> list[RunData]:
    """Reads runs and gives each a name of its own.

    Raises:
      EvaluationError: a run is given twice, or has no metrics yet.
      MetricsError: a run's metrics are missing.
    """
    resolved = [folder.resolve() for folder in folders]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise EvaluationError(f"{folder} is given twice")
    names = [folder.name for folder in resolved]
    if len(set(names)) < len(names):
        names = [f"{folder.parent.name}/{folder.name}" for folder in resolved]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in resolved]
    return [_read_run(name, folder) for name, folder in zip(names, folders, strict=True)]


def _read_run(name: str, folder: Path) -> RunData:
    notes: list[str] = []
    rows = read_metrics(folder / METRICS, notes.append)
    if not rows:
        raise EvaluationError(f"{folder} has no metrics yet: no iteration is completed")

    def read(file: str) -> dict[str, Any] | None:
        try:
            return read_object(folder / file)
        except UserError as error:
            notes.append(str(error))
            return None

    final = read(FINAL_EVALUATION)
    results: list[MatchResult] = []
    try:
        results = [MatchResult.from_json(row) for row in _objects(final or {}, "results")]
    except EvaluationError as error:
        notes.append(f"{folder / FINAL_EVALUATION}: {error}")
    return RunData(
        name=name,
        folder=folder,
        rows=rows,
        configuration=read(CONFIGURATION) or {},
        final=final,
        results=results,
        entries=_objects(read(MANIFEST) or {}, "entries"),
        ladder=read(LADDER) or {},
        notes=notes,
    )
