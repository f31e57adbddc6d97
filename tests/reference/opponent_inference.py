"""How likely a move that was seen is for an opponent whose hand was not, in plain Python."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.reference import rules
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


def likelihood(before: Position, move: Move, model: str) -> float:
    """The mean over the hands that hold the species played."""
    after = rules.play(before, move)
    total, number = 0.0, 0
    for position in hands_with(before, move[0]):
        chances = chances_of(position, model, NO_OBJECTIVE)
        total += sum(chances.get(other, 0.0) for other in moves_that_look_like(position, after))
        number += 1
    return total / number
