"""What moves tell of an opponent whose hand is hidden, in plain Python."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from bb_sim import observe
from tests.reference import id_of, rules, to_state
from tests.reference.endgame import Objective, chances_of
from tests.reference.rules import Move, Position

NO_OBJECTIVE = Objective(0, 0.0)  # the named opponents have their own


def sight(position: Position, mover: int) -> tuple[Any, ...]:
    """What the mover's opponent sees of a turn once it is over."""
    unseen = sorted(position.hands[mover] + position.decks[mover])
    return tuple(position.queue), unseen, sorted(position.bar), sorted(position.thats_it)


def hands_with(before: Position, species: str) -> Iterator[Position]:
    """The position with each hand of the mover that holds a species."""
    mover = before.to_move
    cards = before.hands[mover] + before.decks[mover]
    for hand in combinations(cards, len(before.hands[mover])):
        if species in hand:
            position = before.copy()
            position.hands[mover] = list(hand)
            position.decks[mover] = [card for card in cards if card not in hand]
            yield position


def moves_that_look_like(before: Position, after: Position) -> set[Move]:
    """The mover's moves after which all looks as in `after`."""
    mover = before.to_move
    return {
        move
        for move in rules.legal_moves(before)
        if sight(rules.play(before, move), mover) == sight(after, mover)
    }


def brute_force(
    first: Position,
    moves: Sequence[Move],
    models: Sequence[str | None],
    tremble: float,
    network: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> dict[tuple[frozenset[str], int], float]:
    """The probability of each (hand, number of the model) of the player who moves first.

    Every hand and every order of its deck is played through. The moves are those of both players.

    Args:
      first: the position before the moves; all hands of that player are equally probable in it.
      moves: the moves, the first one and every other one by that player.
      models: names of opponents; None for the network.
      tremble: the probability of a uniformly random move.
      network: chances of rows uint8 [N, 19] and masks uint64 [N], float64 [N].
    """
    mover = first.to_move
    cards = first.hands[mover] + first.decks[mover]
    weights: dict[tuple[frozenset[str], int], float] = {}
    for hand in combinations(cards, len(first.hands[mover])):
        deck = [card for card in cards if card not in hand]
        for order in permutations(deck):
            world = first.copy()
            world.hands[mover], world.decks[mover] = list(hand), list(order)
            chances = np.ones(len(models))
            for move in moves:
                if world.to_move == mover:
                    if move[0] not in world.hands[mover]:
                        chances[:] = 0
                        break
                    chances *= chances_of_seen(world, move, models, tremble, network)
                world = rules.play(world, move)
            if not chances.any():
                continue
            for model, chance in enumerate(chances):
                key = frozenset(world.hands[mover]), model
                weights[key] = weights.get(key, 0.0) + chance
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def chances_of_seen(
    world: Position,
    move: Move,
    models: Sequence[str | None],
    tremble: float,
    network: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """The probability by each model of the moves that look like one, float64 [models]."""
    alike = moves_that_look_like(world, rules.play(world, move))
    by_chance = len(alike) / len(rules.legal_moves(world))
    found = []
    for model in models:
        if model is None:
            row = observe(to_state(world), world.to_move)[None]
            mask = np.array([sum(1 << id_of(other) for other in alike)], np.uint64)
            chance = float(network(row, mask)[0])
        else:
            chances = chances_of(world, model, NO_OBJECTIVE)
            chance = sum(chances.get(other, 0.0) for other in alike)
        found.append(tremble * by_chance + (1 - tremble) * chance)
    return np.array(found)
