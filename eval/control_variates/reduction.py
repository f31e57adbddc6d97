"""Results without the luck that is known to be in them.

From each game's result a weighted sum of its luck's components is taken. The weights are fitted by
least squares to the games of one half of the deals and used for the other half. So they do not
depend on the luck that they weigh, and the means stay unbiased.

`D` denotes deals, `C` components of the luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eval.control_variates.luck import NUM_COMPONENTS, ValueFunction, games_of, luck_of
from eval.matches.match import MatchResult
from eval.statistics.paired import ALL_OPPONENTS, Difference, mean_with_interval

# Counts like so many games without luck, so that few games give small weights.
_RIDGE = 100.0


@dataclass(frozen=True)
class ReducedMean:
    """A mean over deals, with and without its luck.

    Attributes:
      plain: the mean as it is.
      reduced: the mean without the luck.
      reduction: the plain mean's variance divided by that of the reduced one; None if nothing
        varies.
    """

    plain: Difference
    reduced: Difference
    reduction: float | None


@dataclass(frozen=True)
class ReducedResult:
    """The strict win rate and the mean margin of a player, or of one player minus another.

    Attributes:
      player: a name.
      other: whose results are subtracted; None for the player's own results.
      opponent: a name, or `ALL_OPPONENTS` for the mean over them.
      deals: D, each played from both seats.
      win_rate, margin: what was achieved.
    """

    player: str
    other: str | None
    opponent: str
    deals: int
    win_rate: ReducedMean
    margin: ReducedMean

    def as_json(self) -> dict[str, Any]:
        """JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class DealResults:
    """What a player achieved in each deal against each of K opponents.

    Attributes:
      player: its name.
      opponents: K names.
      plain: win rates and margins, means over both seats, float64 [K, D, 2].
      reduced: the same without the luck.
    """

    player: str
    opponents: tuple[str, ...]
    plain: np.ndarray
    reduced: np.ndarray


def without_luck(
    results: Sequence[MatchResult], seed: int, scoring: str, value: ValueFunction
) -> DealResults:
    """A player's results against named opponents, with and without luck.

    Args:
      results: the results, at least two deals each, with recorded actions.
      seed: the seed of the deals.
      scoring: "points" or "animals".
      value: what positions are worth; any value leaves the means unbiased.
    """
    luck = np.stack([luck_of(games_of(one, seed, scoring), value) for one in results])
    luck = luck.reshape(len(results), -1, 2, NUM_COMPONENTS)
    achieved = np.stack(
        [
            np.stack([one.outcomes > 0 for one in results]),
            np.stack([one.margins for one in results]),
        ],
        axis=-1,
    ).astype(np.float64)
    return DealResults(
        results[0].player,
        tuple(one.opponent for one in results),
        achieved.mean(axis=2),
        (achieved - _weighted(luck, achieved)).mean(axis=2),
    )


def reduced_results(results: DealResults, minus: DealResults | None = None) -> list[ReducedResult]:
    """The means over the deals, one an opponent, and one of all together if there are several.

    Args:
      results: a player's.
      minus: another player's over the same deals, to be subtracted deal by deal.
    """
    plain, reduced = results.plain, results.reduced
    if minus is not None:
        plain, reduced = plain - minus.plain, reduced - minus.reduced
    names = list(results.opponents)
    if len(names) > 1:
        names.append(ALL_OPPONENTS)
        plain, reduced = (
            np.concatenate([values, values.mean(axis=0, keepdims=True)])
            for values in (plain, reduced)
        )
    return [
        ReducedResult(
            results.player,
            None if minus is None else minus.player,
            name,
            plain.shape[1],
            *(_reduced_mean(plain[i, :, part], reduced[i, :, part]) for part in range(2)),
        )
        for i, name in enumerate(names)
    ]


def _reduced_mean(plain: np.ndarray, reduced: np.ndarray) -> ReducedMean:
    left = float(reduced.var())
    return ReducedMean(
        mean_with_interval(plain),
        mean_with_interval(reduced),
        float(plain.var()) / left if left > 0 else None,
    )


def _weighted(luck: np.ndarray, achieved: np.ndarray) -> np.ndarray:
    """float64 [K, D, 2 seats, 2]: the luck in win and margin, by weights from the other deals.

    Args:
      luck: float64 [K, D, 2 seats, C].
      achieved: win and margin, float64 [K, D, 2 seats, 2].
    """
    taken = np.empty_like(achieved)
    halves = np.arange(luck.shape[1]) % 2
    for half in range(2):
        others = halves != half
        known = luck[:, others].reshape(-1, NUM_COMPONENTS)
        results = achieved[:, others].reshape(-1, 2)
        scales = np.maximum(known.std(axis=0), 1e-9)
        scaled = known / scales
        moments = scaled.T @ scaled + _RIDGE * np.eye(NUM_COMPONENTS)
        weights = np.linalg.solve(moments, scaled.T @ (results - results.mean(axis=0)))
        taken[:, ~others] = luck[:, ~others] @ (weights / scales[:, None])
    return taken
