"""Players compared deal by deal.

Two players who met the same opponent over the same deals had the same luck, so the difference of
their results varies far less than either result, and one opponent's deals are enough to tell
players apart that separate win rates could not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from bb_jax.errors import EvaluationError
from eval.matches.match import MatchResult

ALL_OPPONENTS = "all together"


@dataclass(frozen=True)
class Difference:
    """A mean over independent deals.

    Attributes:
      mean: the estimate.
      standard_error: of the mean.
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
      win_rate: difference of the strict win rates, as fractions.
      margin: difference of the mean margins.
      variance_ratio: variance of the difference of win rates over that of two evaluations with
        independent games; None where nothing varies.
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
    """The mean of values float [D], D >= 2, with Student's 95 % interval."""
    count = len(values)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(count)
    reach = float(student.ppf(0.975, count - 1)) * error
    return Difference(mean, error, (mean - reach, mean + reach))


def compare(results: Sequence[MatchResult], others: Sequence[MatchResult]) -> list[Comparison]:
    """The results of one player minus those of another, deal by deal.

    Args:
      results: of one player, with their deals.
      others: of another against the same opponents, in the same order, over the same deals.

    Returns:
      One comparison an opponent, and one of all together where there are several.

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
    """What playing each deal from both seats does to one win rate.

    Returns:
      The variance of the win rate over that of as many games with a deal of their own each, half of
      them from either seat; None where nothing varies or there are fewer than two deals.
    """
    if len(result.outcomes) < 2:
        return None
    independent = _independent_variance([result])
    deals = _wins([result]).mean(axis=(0, 2))
    return float(deals.var(ddof=1)) / independent if independent else None


def _wins(results: Sequence[MatchResult]) -> np.ndarray:
    """float64 [K, D, 2] of K results: 1 for a win."""
    return np.stack([result.outcomes > 0 for result in results]).astype(np.float64)


def _margins(results: Sequence[MatchResult]) -> np.ndarray:
    """float64 [K, D, 2]."""
    return np.stack([result.margins for result in results]).astype(np.float64)


def _independent_variance(results: Sequence[MatchResult]) -> float:
    """Variance a deal that the mean win rate would have if all games were independent."""
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
