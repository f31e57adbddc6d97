"""States of the OpenSpiel game, and what a player sees of them. Skips what imports it otherwise."""

from random import Random

import pytest

pytest.importorskip("pyspiel", reason="the extra `openspiel` is not installed")
import pyspiel

HISTORY = 48  # 24 turns, 8 cards dealt, 16 drawn
PrivateInfo = pyspiel.PrivateInfoType


def random_state(game, seed: int, steps: int = HISTORY):
    """A state after so many random actions and chance outcomes."""
    random, state = Random(seed), game.new_initial_state()
    for _ in range(steps):
        state.apply_action(random.choice(state.legal_actions()))
    return state


def replayed(game, history: list[int]):
    state = game.new_initial_state()
    for action in history:
        state.apply_action(action)
    return state


def observer(game, *, public: bool, recall: bool, private):
    return game.make_py_observer(pyspiel.IIGObservationType(public, recall, private))


def views(game, state, player: int) -> list:
    """All that a player may know of a state."""
    public = observer(game, public=True, recall=True, private=PrivateInfo.NONE)
    return [
        state.information_state_string(player),
        state.information_state_tensor(player),
        state.observation_string(player),
        state.observation_tensor(player),
        public.string_from(state, player),
    ]
