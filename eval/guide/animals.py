"""When each animal is played, by move, by phase and by queue, and what it is worth then."""

from __future__ import annotations

import numpy as np

from bb_sim import OPPONENTS, SPECIES
from bb_sim.rules.engine import QUEUE_SIZE
from eval.guide import estimates
from eval.guide.decisions import NUM_MOVES, PHASES, Decisions, decisions_of_player
from eval.guide.estimates import Figure
from eval.guide.figures import Animal
from eval.guide.games import Games
from eval.guide.trials import Trials


def animal_figures(games: Games, searched: Games, instead: Trials, anyway: Trials) -> list[Animal]:
    """The figures of the twelve animals.

    Args:
      games: games of the policy alone.
      searched: games of the search, whose deals are the first ones of the policy's against each
        opponent.
      instead, anyway: the trials of both kinds.
    """
    decisions, others = decisions_of_player(games), decisions_of_player(searched)
    deals = games.plan.num_deals
    shared = decisions.take(np.flatnonzero(decisions.deals < searched.plan.num_deals))
    itself = decisions.opponents == len(OPPONENTS)
    strong, weak = (decisions.take(np.flatnonzero(one)) for one in (itself, ~itself))
    free = decisions.take(np.flatnonzero(decisions.hands.sum(axis=1) > 1))
    waits = waiting_moves(decisions)
    found = []
    for species, name in enumerate(SPECIES):
        plays = np.flatnonzero(decisions.species == species)
        played = decisions.take(plays)
        own = free.take(np.flatnonzero(free.hands[:, species]))
        hits = own.species == species
        found.append(
            Animal(
                animal=name,
                move=_mean(played.moves + 1, played.deals, deals),
                waits=_mean(waits[plays], played.deals, deals),
                by_move=_shares(hits, own.moves, NUM_MOVES, own.deals, deals),
                by_phase=_shares(hits, own.phases, len(PHASES), own.deals, deals),
                by_queue=_shares(hits, own.queue_lengths, QUEUE_SIZE + 1, own.deals, deals),
                worth=_gains(instead, instead.decisions.species == species, deals),
                impatience=_gains(anyway, anyway.animals == species, deals),
                strong_shift=_shift(strong, weak, species, deals),
                search_shift=_shift(others, shared, species, deals),
            )
        )
    return found


def waiting_moves(decisions: Decisions) -> np.ndarray:
    """int64 [K]: the moves that the animal played has been in the hand, 0 if it was just drawn.

    The first four cards have been there from the beginning.
    """
    seats = 2 * decisions.games.astype(np.int64) + decisions.turns % 2
    order = np.lexsort((decisions.moves, seats))
    waited = np.zeros(len(decisions), np.int64)
    since = np.zeros((len(decisions), len(SPECIES)), np.int8)
    hands, moves, species = decisions.hands, decisions.moves, decisions.species
    # A seat's decisions follow each other; those of equal number in all seats are done at once.
    by_seat, number = seats[order], moves[order]
    previous = np.full(len(order), -1)
    follows = (by_seat[1:] == by_seat[:-1]) & (number[1:] == number[:-1] + 1)
    previous[1:][follows] = order[:-1][follows]
    for move in range(NUM_MOVES):
        now = np.flatnonzero(number == move)
        here, before = order[now], previous[now]
        known = (before >= 0)[:, None] & hands[np.maximum(before, 0)]
        since[here] = np.where(known, since[np.maximum(before, 0)], move)
        waited[here] = move - since[here, species[here]]
    return waited


def _per_deal(values: np.ndarray, deals: np.ndarray, num_deals: int) -> np.ndarray:
    return np.bincount(deals, weights=values, minlength=num_deals)


def _mean(values: np.ndarray, deals: np.ndarray, num_deals: int) -> Figure | None:
    return estimates.mean(
        _per_deal(values, deals, num_deals), np.bincount(deals, minlength=num_deals)
    )


def _shares(
    hits: np.ndarray, groups: np.ndarray, num_groups: int, deals: np.ndarray, num_deals: int
) -> list[Figure | None]:
    """The share of hits in each group of cases, from arrays [K]."""
    return [
        estimates.share(
            _per_deal(hits[inside], deals[inside], num_deals),
            np.bincount(deals[inside], minlength=num_deals),
        )
        for inside in (groups == group for group in range(num_groups))
    ]


def _gains(trials: Trials, chosen: np.ndarray, num_deals: int) -> list[Figure | None]:
    """The mean gain of the chosen trials, bool [N], by phase and over all."""
    decisions = trials.decisions
    parts = [chosen & (decisions.phases == phase) for phase in range(len(PHASES))]
    return [
        _mean(trials.gains[inside], decisions.deals[inside], num_deals)
        for inside in (*parts, chosen)
    ]


def _shift(others: Decisions, decisions: Decisions, species: int, num_deals: int) -> Figure | None:
    """The mean move of a species in some decisions minus that in others."""
    sums = []
    for one in (others, decisions):
        played = one.species == species
        sums.append(_per_deal(one.moves[played], one.deals[played], num_deals))
        sums.append(np.bincount(one.deals[played], minlength=num_deals))
    return estimates.difference(*sums)
