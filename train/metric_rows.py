"""The metrics row of an iteration, from the results of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bb_jax import Hyper
from eval.matches.match import MatchResult
from eval.runs.metric_keys import MEAN_WIN_RATE, opponent_key
from train.games.plan import GamePlan, Record, records
from train.games.rollout import Rollout
from train.hosts.base import Hosts

Row = dict[str, Any]


@dataclass(frozen=True)
class GameSummary:
    """A summary of an iteration's games on all hosts.

    Attributes:
      outcomes: int8 [G], +1, 0 or -1 for seat 0, in the order of the plan.
      positions: the number of decisions.
      seconds: the times of `train.games.rollout.Rollout`, each the longest of all hosts.
    """

    outcomes: np.ndarray
    positions: int
    seconds: dict[str, float]


def gather_games(hosts: Hosts, rollout: Rollout) -> GameSummary:
    """Summarizes the games of all hosts, each of which gives its own rollout."""
    own = (rollout.outcomes, rollout.positions, rollout.seconds)
    outcomes, positions, seconds = zip(*hosts.gather(own), strict=True)
    return GameSummary(
        np.concatenate(outcomes),
        sum(positions),
        {name: max(each[name] for each in seconds) for name in seconds[0]},
    )


def learning_row(
    iteration: int, plan: GamePlan, games: GameSummary, hyper: Hyper, update: Mapping[str, float]
) -> Row:
    """The counts, coefficients, metrics of the update, and records against the opponents met."""
    row: Row = {
        "iteration": iteration,
        "games": len(plan.seeds),
        "positions": games.positions,
        "train/learning_rate": hyper.learning_rate,
        "train/entropy_coef": hyper.entropy_coef,
        "train/temperature": hyper.temperature,
        **update,
    }
    for opponent, record in records(plan, games.outcomes).items():
        row |= _record_row(opponent, record)
    return row


def _record_row(opponent: str, record: Record) -> Row:
    return {
        opponent_key("met", opponent, "games"): record.games,
        opponent_key("met", opponent, "win_rate"): record.win_rate,
        opponent_key("met", opponent, "draw_rate"): record.draws / record.games,
    }


def evaluation_row(results: Sequence[MatchResult]) -> Row:
    """The results of an evaluation, and the mean win rate that selects the best checkpoint."""
    row: Row = {}
    for result in results:
        measured = {
            "win_rate": result.win_rate,
            "ci95_low": result.ci95[0],
            "ci95_high": result.ci95[1],
            "mean_margin": result.mean_margin,
        }
        row |= {opponent_key("eval", result.opponent, key): v for key, v in measured.items()}
    row[MEAN_WIN_RATE] = sum(result.win_rate for result in results) / len(results)
    return row


def time_row(
    *, seconds: float, waiting: float, learning: float, evaluation: float, games: GameSummary
) -> Row:
    """The times of an iteration, which cannot be reproduced.

    Args:
      seconds: wall-clock seconds of the whole iteration.
      waiting: seconds of the iteration spent waiting for games.
      learning: seconds of the iteration spent in the update.
      evaluation: seconds of the iteration spent in the evaluation.
      games: the games with the time of their generation. Asynchronous generation overlaps the
        iteration before.
    """
    parts = {
        "waiting": waiting,
        "learning": learning,
        "evaluation": evaluation,
        "generation": games.seconds["generation"],
        "inference": games.seconds["inference"],
        "simulation": games.seconds["simulation"],
    }
    row: Row = {"time/stamp": datetime.now(UTC).isoformat(timespec="seconds")}
    row["time/seconds"] = seconds
    for name, value in parts.items():
        row[f"time/{name}_seconds"] = value
        row[f"time/{name}_share"] = value / seconds
    row["time/games_per_second"] = len(games.outcomes) / seconds
    row["time/positions_per_second"] = games.positions / seconds
    return row
