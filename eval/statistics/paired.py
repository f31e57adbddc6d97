"""Players compared deal by deal.

Two players who meet the same opponent over the same deals have the same luck. The difference of
their results varies far less than either result, so it tells players apart that separate win rates
could not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from bb_jax.errors import EvaluationError
from eval.matches.match import MatchResult

ALL_OPPONENTS = "all together"


@dataclass(frozen=True)
class Difference:
    """A mean over independent deals.

    Attributes:
      mean: the estimate.
      standard_error: the mean's standard error.
      ci95: 95 % interval from Student's t distribution.
    """

    mean: float
    standard_error: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """One player minus another against one opponent, or against all of them together.

    Attributes:
      player, other, opponent: names.
      deals: D, each played from both seats by both players.
      win_rate: the difference of the strict win rates, as fractions.
      margin: the difference of the mean margins.
      variance_ratio: the variance of the difference of the win rates, divided by its variance if
        all games were independent; None if nothing varies.
    """

    player: str
    other: str
    opponent: str
    deals: int
    win_rate: Difference
    margin: Difference
    variance_ratio: float | None

    def as_json(self) -> dict[str, Any]:
        """JSON-able values."""
        return asdict(self)


def mean_with_interval(values: np.ndarray) -> Difference:
    """The mean of values, float [D] with D >= 2, and Student's 95 % interval."""
    count = len(values)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(count)
    reach = float(stdtrit(count - 1, 0.975)) * error
    return Difference(mean, error, (mean - reach, mean + reach))


def compare(results: Sequence[MatchResult], others: Sequence[MatchResult]) -> list[Comparison]:
    """The results of one player minus those of another, deal by deal.

    Args:
      results: one player's results, with their deals.
      others: another player's results against the same opponents, in the same order, over the same
        deals.

    Returns:
      One comparison an opponent, and one of all opponents together if there are several.

    Raises:
      EvaluationError: the opponents or the numbers of deals differ, or there are fewer than two
        deals.
    """
    _check_comparable(results, others)
    groups = [[index] for index in range(len(results))]
    if len(results) > 1:
        groups.append(list(range(len(results))))
    comparisons = []
    for group in groups:
        ours, theirs = [results[i] for i in group], [others[i] for i in group]
        wins = _wins(ours).mean(axis=(0, 2)) - _wins(theirs).mean(axis=(0, 2))
        margins = _margins(ours).mean(axis=(0, 2)) - _margins(theirs).mean(axis=(0, 2))
        independent = _independent_variance(ours) + _independent_variance(theirs)
        comparisons.append(
            Comparison(
                player=ours[0].player,
                other=theirs[0].player,
                opponent=ALL_OPPONENTS if len(group) > 1 else ours[0].opponent,
                deals=len(wins),
                win_rate=mean_with_interval(wins),
                margin=mean_with_interval(margins),
                variance_ratio=float(wins.var(ddof=1)) / independent if independent else None,
            )
        )
    return comparisons


def swap_variance_ratio(result: MatchResult) -> float | None:
    """How much playing each deal from both seats reduces the variance of a win rate.

    Returns:
      The variance of the win rate, divided by its variance if every game had a deal of its own,
      half of them from either seat; None if nothing varies or there are fewer than two deals.
    """
    if len(result.outcomes) < 2:
        return None
    independent = _independent_variance([result])
    deals = _wins([result]).mean(axis=(0, 2))
    return float(deals.var(ddof=1)) / independent if independent else None


def _wins(results: Sequence[MatchResult]) -> np.ndarray:
    """The wins in K results, float64 [K, D, 2]: 1 for a win, else 0."""
    return np.stack([result.outcomes > 0 for result in results]).astype(np.float64)


def _margins(results: Sequence[MatchResult]) -> np.ndarray:
    """The margins in K results, float64 [K, D, 2]."""
    return np.stack([result.margins for result in results]).astype(np.float64)


def _independent_variance(results: Sequence[MatchResult]) -> float:
    """The variance per deal of the mean win rate if all games were independent."""
    wins = _wins(results)
    return float(wins.var(axis=1, ddof=1).sum()) / (wins.shape[0] * wins.shape[2]) ** 2


def _check_comparable(results: Sequence[MatchResult], others: Sequence[MatchResult]) -> None:
    names = [result.opponent for result in results]
    if not names or names != [other.opponent for other in others]:
        raise EvaluationError("only results against the same opponents can be compared")
    shapes = {result.outcomes.shape for result in (*results, *others)}
    if len(shapes) > 1:
        raise EvaluationError("only results over the same deals can be compared")
    deals = len(results[0].outcomes)
    if deals < 2:
        raise EvaluationError(f"an interval needs at least two deals (4 games), not {deals}")
