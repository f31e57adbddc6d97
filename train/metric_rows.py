"""The metrics row of an iteration, put together from what its parts report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bb_jax import Hyper
from eval.matches.match import MatchResult
from train.games.plan import GamePlan, Record, records

Row = dict[str, Any]


@dataclass(frozen=True)
class Played:
    """What the metrics say of an iteration's games, of all hosts together.

    Attributes:
      outcomes: int8 [G], +1, 0 or -1 for seat 0, in the order of the plan.
      positions: decisions recorded.
      seconds: as in `train.games.generator.Rollout`; of each the longest.
    """

    outcomes: np.ndarray
    positions: int
    seconds: dict[str, float]


def learning_row(
    iteration: int, plan: GamePlan, played: Played, hyper: Hyper, measured: Mapping[str, float]
) -> Row:
    """Counts, coefficients, what the update measured, and the record against each opponent met."""
    row: Row = {
        "iteration": iteration,
        "games": len(plan.seeds),
        "positions": played.positions,
        "train/learning_rate": hyper.learning_rate,
        "train/entropy_coef": hyper.entropy_coef,
        "train/temperature": hyper.temperature,
        **measured,
    }
    for opponent, record in records(plan, played.outcomes).items():
        row |= _record_row(opponent, record)
    return row


def _record_row(opponent: str, record: Record) -> Row:
    return {
        f"met/{opponent}/games": record.games,
        f"met/{opponent}/win_rate": record.win_rate,
        f"met/{opponent}/draw_rate": record.draws / record.games,
    }


def evaluation_row(results: Sequence[MatchResult]) -> Row:
    """What an evaluation found, and the mean win rate that the best checkpoint is chosen by."""
    row: Row = {}
    for result in results:
        row[f"eval/{result.opponent}/win_rate"] = result.win_rate
        row[f"eval/{result.opponent}/ci95_low"] = result.ci95[0]
        row[f"eval/{result.opponent}/ci95_high"] = result.ci95[1]
        row[f"eval/{result.opponent}/mean_margin"] = result.mean_margin
    row["eval/mean_win_rate"] = sum(result.win_rate for result in results) / len(results)
    return row


def time_row(
    *, seconds: float, waiting: float, learning: float, evaluation: float, played: Played
) -> Row:
    """Everything that cannot be reproduced.

    Args:
      seconds: of the whole iteration.
      waiting: of them, spent waiting for games.
      learning: of them, in the update.
      evaluation: of them, in evaluating.
      played: knows how long the generation took; with asynchronous generation that time overlaps
        the iteration before.
    """
    parts = {
        "waiting": waiting,
        "learning": learning,
        "evaluation": evaluation,
        "generation": played.seconds["generation"],
        "inference": played.seconds["inference"],
        "simulation": played.seconds["simulation"],
    }
    row: Row = {"time/stamp": datetime.now(UTC).isoformat(timespec="seconds")}
    row["time/seconds"] = seconds
    for name, value in parts.items():
        row[f"time/{name}_seconds"] = value
        row[f"time/{name}_share"] = value / seconds
    row["time/games_per_second"] = len(played.outcomes) / seconds
    row["time/positions_per_second"] = played.positions / seconds
    return row
