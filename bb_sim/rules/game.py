"""The rules as functions on immutable states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import ACTIONS, Action, action_id, check_scoring
from bb_sim.rules.conversion import deal_state, legal_action_ids, observation_of_state, state_after
from bb_sim.rules.engine import QUEUE_LIMIT
from bb_sim.rules.state import State, check_state


def new_game(seed: int, first_player: int = 0, num_players: int = 2) -> State:
    """Deals a game. The deal depends on the seed alone.

    Args:
        seed: 0 to 2**64 - 1.
        first_player: the player who begins, 0 to `num_players - 1`.
        num_players: 2 to 4.

    Raises:
        TypeError: an argument is not an integer.
        ValueError: an argument is out of range.
    """
    return deal_state(seed, first_player, num_players)


def legal_actions(state: State) -> list[Action]:
    """The legal actions in the order of their ids; empty if the game is over.

    Raises:
        ValueError: the hand of the player to move is hidden.
    """
    return [ACTIONS[number] for number in legal_action_ids(state)]


def step(state: State, action: Action) -> State:
    """The state after a whole turn: play, action, recurring actions, gate, draw.

    Raises:
        ValueError: the action is not legal, or cards of the state are hidden.
    """
    return state_after(state, action_id(action))


def is_terminal(state: State) -> bool:
    """Whether all cards are played."""
    return check_state(state).cards_left == 0


def is_decided(state: State) -> bool:
    """Whether the scores are final because no gate can open any more."""
    check_state(state)
    return state.cards_left + len(state.queue) < QUEUE_LIMIT


def scores(state: State, scoring: str = "points") -> tuple[int, ...]:
    """Each player's points in the bar, or with `animals` the number of animals there.

    Raises:
        TypeError: `state` is not a State.
        ValueError: there is no such scoring.
    """
    check_state(state)
    check_scoring(scoring)
    return tuple(
        sum(card.points if scoring == "points" else 1 for card in state.bar if card.owner == player)
        for player in range(state.num_players)
    )


def ranking(state: State, scoring: str = "points") -> tuple[int, ...]:
    """Each player's place, 1 for the best. Equal players share a place.

    With `animals` a tie goes to the lower total strength in the bar.
    """
    standings = [(-score, 0) for score in scores(state, scoring)]
    if scoring == "animals":
        for player, (score, _) in enumerate(standings):
            strength = sum(card.strength for card in state.bar if card.owner == player)
            standings[player] = (score, strength)
    return tuple(1 + sum(other < own for other in standings) for own in standings)


def winner(state: State, scoring: str = "points") -> int | None:
    """The player who holds the first place alone, or None if it is shared."""
    places = ranking(state, scoring)
    return places.index(1) if places.count(1) == 1 else None


def observe(state: State, viewer: int | None = None) -> NDArray[np.uint8]:
    """The observation row of a two-player state, or of a state `seen_by` the viewer.

    Args:
        viewer: the player who observes, 0 or 1; None for the player to move.

    Returns:
        uint8 [OBSERVATION_SIZE], see `decode_observation`.

    Raises:
        ValueError: the game has more players, there is no such viewer, or its hand is hidden.
    """
    return observation_of_state(state, check_state(state).to_move if viewer is None else viewer)
