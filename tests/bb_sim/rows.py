"""The parts of an observation row as slices, and rows of random games."""

from collections.abc import Iterator

import numpy as np

from bb_sim import State, is_terminal, legal_actions, new_game, step
from bb_sim.rules.observation import (
    DECK_BYTE,
    HAND_BYTE,
    LEGAL_BYTE,
    POINTS_BYTE,
    QUEUE_BYTE,
    TURN_BYTE,
    UNSEEN_BYTE,
)

QUEUE = slice(QUEUE_BYTE, HAND_BYTE)
HAND = slice(HAND_BYTE, DECK_BYTE)
DECK = slice(DECK_BYTE, UNSEEN_BYTE)
UNSEEN = slice(UNSEEN_BYTE, POINTS_BYTE)
MARGINS = slice(POINTS_BYTE, TURN_BYTE)
LEGAL = slice(LEGAL_BYTE, None)


def bits(row: np.ndarray, part: slice) -> int:
    """The set in a part of a row, as a bit mask."""
    return int.from_bytes(row[part].tobytes(), "little")


def states_of_random_games(games: int, first: int = 0) -> Iterator[State]:
    """Every state with a decision of games that are dealt by the seeds from `first` on."""
    random = np.random.default_rng(first)
    for seed in range(first, first + games):
        state = new_game(seed)
        while not is_terminal(state):
            yield state
            actions = legal_actions(state)
            state = step(state, actions[random.integers(len(actions))])
