"""The metrics row of an iteration, put together from what its parts report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bb_jax import Hyper
from eval.matches import MatchResult
from train.game_plan import GamePlan, Record, records
from train.rollout import Rollout

Row = dict[str, Any]


def learning_row(
    iteration: int, plan: GamePlan, rollout: Rollout, hyper: Hyper, measured: Mapping[str, float]
) -> Row:
    """Counts, coefficients, what the update measured, and the record against each opponent met."""
    row: Row = {
        "iteration": iteration,
        "games": len(plan.seeds),
        "positions": rollout.positions,
        "train/learning_rate": hyper.learning_rate,
        "train/entropy_coef": hyper.entropy_coef,
        "train/temperature": hyper.temperature,
        **measured,
    }
    for opponent, record in records(plan, rollout.outcomes).items():
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
    *, seconds: float, waiting: float, learning: float, evaluation: float, rollout: Rollout
) -> Row:
    """Everything that cannot be reproduced.

    Args:
      seconds: of the whole iteration.
      waiting: of them, spent waiting for games.
      learning: of them, in the update.
      evaluation: of them, in evaluating.
      rollout: knows how long its generation took; with asynchronous generation that time overlaps
        the iteration before.
    """
    parts = {
        "waiting": waiting,
        "learning": learning,
        "evaluation": evaluation,
        "generation": rollout.seconds["generation"],
        "inference": rollout.seconds["inference"],
        "simulation": rollout.seconds["simulation"],
    }
    row: Row = {"time/stamp": datetime.now(UTC).isoformat(timespec="seconds")}
    row["time/seconds"] = seconds
    for name, value in parts.items():
        row[f"time/{name}_seconds"] = value
        row[f"time/{name}_share"] = value / seconds
    row["time/games_per_second"] = len(rollout.outcomes) / seconds
    row["time/positions_per_second"] = rollout.positions / seconds
    return row
