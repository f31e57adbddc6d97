"""Policies without networks, and Python agents, for tests."""

import multiprocessing
import os
import signal
import sys
import time

import numpy as np

from bb_sim import NUM_ACTIONS, Action, State
from bb_sim.rules.observation import LEGAL_BYTE


def hashed_actions(observations: np.ndarray) -> np.ndarray:
    """A legal action for each row, uint8 [B], which depends on the row alone."""
    legal = np.unpackbits(observations[:, LEGAL_BYTE:], axis=1, bitorder="little")
    legal = legal[:, :NUM_ACTIONS]
    weights = np.random.default_rng(0).integers(1, 2**31, observations.shape[1])
    mixed = (observations.astype(np.int64) @ weights)[:, None] * (2 * np.arange(NUM_ACTIONS) + 1)
    scores = np.where(legal == 1, mixed % 1000003, -1)
    return scores.argmax(axis=1).astype(np.uint8)


class Decisions:
    """A stand-in for `PendingDecisions` that never waits."""

    def __init__(self, observations: np.ndarray, deciders: np.ndarray):
        self._actions = hashed_actions(observations)
        self._log_probs = -1.0 - deciders.astype(np.float32)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Actions uint8 [S] and log-probabilities float32 [S]."""
        return self._actions, self._log_probs


class HashedDecider:
    """A stand-in for `train.games.deciders.NetworkDecider`.

    It calls `on_decide` with the number of the call before each decision.
    """

    def __init__(self, on_decide=None):
        self.calls: list[tuple[int, int]] = []
        self._on_decide = on_decide

    def decide(self, waiting):
        self.calls.append((waiting.group, waiting.ply))
        if self._on_decide is not None:
            self._on_decide(len(self.calls))
        return Decisions(waiting.observations.copy(), waiting.deciders.copy())

    def complete(self, rollout):
        return rollout


class FirstAction:
    """Plays the first legal action and checks that hidden cards are hidden."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        other = 1 - state.to_move
        assert all(card.species == "hidden" for card in state.hands[other])
        assert all(card.species == "hidden" for deck in state.decks for card in deck)
        return legal_actions[0]


class Clairvoyant:
    """Sees everything, and checks that it does."""

    sees_all = True

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        assert all(card.species != "hidden" for hand in state.hands for card in hand)
        return legal_actions[-1]


class Exiting:
    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        sys.exit(3)


class Interrupting:
    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        raise KeyboardInterrupt


class Broken:
    """Raises an error."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        raise RuntimeError("the agent lost its mind")


class Cheat:
    """Chooses an illegal action."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        return Action("lion", (7,))


class NeedsNoJax:
    """Fails in a process that has imported JAX."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        assert "jax" not in sys.modules
        return legal_actions[0]


class Suicidal:
    """Kills its own process, every time."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        os.kill(os.getpid(), signal.SIGKILL)
        return legal_actions[0]


class Moody:
    """Plays the first legal action, or fails if TEST_AGENT_MOOD is "bad".

    If it is "bad in evaluations", the agent fails in the main process alone.
    """

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        mood = os.environ.get("TEST_AGENT_MOOD")
        evaluates = multiprocessing.parent_process() is None
        if mood == "bad" or (mood == "bad in evaluations" and evaluates):
            raise RuntimeError("is in a bad mood")
        return legal_actions[0]


class Slow:
    """Thinks for half a second about its first move."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        if state.turn < 2:
            time.sleep(0.5)
        return legal_actions[0]


class Hanging:
    """Thinks forever."""

    def select_action(self, state: State, legal_actions: list[Action]) -> Action:
        time.sleep(1000)
        return legal_actions[0]
