"""Moving first or second, and how far the judges can be trusted."""

from __future__ import annotations

import numpy as np

from bb_sim import OPPONENTS
from eval.guide import estimates
from eval.guide.decisions import PHASES, decisions_of_player
from eval.guide.estimates import Figure
from eval.guide.figures import SeatResult, Trust
from eval.guide.games import ALL, ITSELF, Games
from eval.guide.judge import Judge, Tick
from eval.matches.players import PolicyPlayer, decide

#: The name of the results against all opponents together.
EVERYBODY = "all together"
NAMED = "the ten together"


def seat_results(games: Games) -> list[SeatResult]:
    """Results against each opponent, against the ten named ones, and against all."""
    groups = {name: np.array([number]) for number, name in enumerate(ALL)}
    groups[NAMED] = np.arange(len(OPPONENTS))
    groups[EVERYBODY] = np.arange(len(ALL))
    plan = games.plan
    results = []
    for name, numbers in groups.items():
        inside = np.isin(plan.opponents, numbers)
        if inside.any():
            results.append(
                _result(
                    name,
                    *(array[inside] for array in (plan.deals, plan.seats, games.outcomes)),
                    itself=name == ITSELF,
                )
            )
    return results


def _result(
    name: str, deals: np.ndarray, seats: np.ndarray, outcomes: np.ndarray, *, itself: bool
) -> SeatResult:
    _, deals = np.unique(deals, return_inverse=True)
    won = outcomes > 0
    total = np.bincount(deals, weights=won)
    by_seat = [np.bincount(deals, weights=won & (seats == seat)) for seat in range(2)]
    ones = np.ones(len(total))
    wins = estimates.share(total, 2 * ones)
    if wins is None:
        wins = estimates.of_proportion(int(won.sum()), len(won))
    return SeatResult(
        opponent=name,
        games=len(won),
        wins=wins,
        first=estimates.share(by_seat[0], ones),
        second=estimates.share(by_seat[1], ones),
        gain=estimates.mean(by_seat[1] - by_seat[0], ones),
    )


def trust_figures(
    judge: Judge, player: PolicyPlayer, games: Games, searched: Games, tick: Tick | None = None
) -> Trust:
    """How the network's predictions agree with results, and the policy's moves with the search's.

    Args:
      judge: judges positions.
      player: the policy.
      games: games of the policy alone.
      searched: games of the search; their deals are the first ones of the policy's against each
        opponent.
      tick: called with (positions judged, positions in all).
    """
    decisions = decisions_of_player(games)
    deals = games.plan.num_deals
    side = np.where(decisions.turns % 2 == games.plan.seats[decisions.games], 1, -1)
    won = games.outcomes[decisions.games] * side > 0
    errors = judge.expected_wins(decisions.rows, tick) - won
    itself = decisions.opponents == len(OPPONENTS)

    def by_phase(whose: np.ndarray) -> list[Figure | None]:
        found = []
        for phase in range(len(PHASES)):
            inside = whose & (decisions.phases == phase)
            where = decisions.deals[inside]
            found.append(
                estimates.mean(
                    np.bincount(where, weights=errors[inside], minlength=deals),
                    np.bincount(where, minlength=deals),
                )
            )
        return found

    looked = decisions_of_player(searched)
    free = looked.take(np.flatnonzero(looked.hands.sum(axis=1) > 1))
    same = decide(player, free.rows, None) == free.actions
    shared = searched.plan.num_deals
    gain = _wins_per_deal(searched, shared) - _wins_per_deal(games, shared)
    named = np.bincount(searched.plan.deals, searched.plan.opponents < len(OPPONENTS), shared)
    return Trust(
        predicted=by_phase(~itself),
        predicted_itself=by_phase(itself),
        agreement=estimates.share(
            np.bincount(free.deals, weights=same, minlength=shared),
            np.bincount(free.deals, minlength=shared),
        ),
        search_gain=estimates.mean(gain, named),
    )


def _wins_per_deal(games: Games, num_deals: int) -> np.ndarray:
    """The wins against the ten in each of the first deals, float64 [num_deals]."""
    plan = games.plan
    inside = (plan.deals < num_deals) & (plan.opponents < len(OPPONENTS))
    return np.bincount(plan.deals[inside], weights=games.outcomes[inside] > 0, minlength=num_deals)
