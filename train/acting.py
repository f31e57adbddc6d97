"""Who decides for the waiting games of a group: the learner and the checkpoint opponents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

# Batches of checkpoint opponents are padded to a power of four from here on: few compiled shapes.
_SMALLEST_BATCH = 64

# A game has 24 plies: sampling for this many is sampling always.
ALL_PLIES = 24

PolicyStep = Callable[[Any, Any, Any, Any, Any], jax.Array]


def _padded_size(rows: int, largest: int) -> int:
    size = _SMALLEST_BATCH
    while size < rows:
        size *= 4
    return min(size, largest)


@dataclass(frozen=True)
class ActingSettings:
    """How networks choose: sampling at `temperature` for `sampled_plies` plies, then greedily."""

    seed: tuple[int, ...]
    temperature: float
    sampled_plies: int


class PendingDecisions:
    """Forward passes under way on the device for one group."""

    def __init__(self, num_slots: int):
        self._num_slots = num_slots
        self._parts: list[tuple[np.ndarray | None, jax.Array]] = []

    def add(self, slots: np.ndarray | None, packed: jax.Array) -> None:
        """Adds a pass whose first columns belong to `slots` (None: all slots)."""
        self._parts.append((slots, packed))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Waits; returns actions uint8 [S] and log-probabilities float32 [S]."""
        actions = np.zeros(self._num_slots, np.uint8)
        log_probs = np.zeros(self._num_slots, np.float32)
        for slots, packed in self._parts:
            values = np.asarray(packed)
            if slots is None:
                actions[:] = values[0]
                log_probs[:] = values[1].view(np.float32)
            else:
                actions[slots] = values[0, : len(slots)]
                log_probs[slots] = values[1, : len(slots)].view(np.float32)
        return actions, log_probs


class Acting:
    """The networks that decide in one iteration's games.

    External policy 0 is the learner, 1 + m is member m. A pass of the learner is always over all
    slots of a group, so that a row's result does not depend on which rows wait; each member costs
    at most one pass a ply, over its own rows padded to one of a few sizes.
    """

    def __init__(
        self,
        policy_step: PolicyStep,
        learner: Any,
        members: Sequence[Any],
        settings: ActingSettings,
    ):
        self._policy_step = policy_step
        self._learner = learner
        self._members = members
        self._seed = settings.seed
        self._temperature = np.float32(settings.temperature)
        self._sampled_plies = np.int32(settings.sampled_plies)

    def decide(
        self, group: int, ply: int, observations: np.ndarray, deciders: np.ndarray
    ) -> PendingDecisions:
        """Starts the forward passes for a group's waiting decisions.

        Args:
          group: index of the group; with `ply`, the seed of its random choices.
          ply: how many times this group has been answered already.
          observations: uint8 [S, 19]; must not change until the result is read, since a CPU
            device may read the buffer itself.
          deciders: uint8 [S], the external policy that decides in each slot.
        """
        num_slots = len(deciders)
        pending = PendingDecisions(num_slots)
        policies = np.bincount(deciders, minlength=len(self._members) + 1)
        if policies[0]:
            pending.add(None, self._pass(self._learner, observations, group, ply, 0))
        for index, params in enumerate(self._members, start=1):
            if not policies[index]:
                continue
            slots = np.flatnonzero(deciders == index)
            rows = np.zeros((_padded_size(len(slots), num_slots), observations.shape[1]), np.uint8)
            rows[: len(slots)] = observations[slots]
            packed = self._pass(params, rows, group, ply, index)
            pending.add(slots, packed)
        return pending

    def _pass(self, params: Any, rows: np.ndarray, group: int, ply: int, policy: int) -> jax.Array:
        words = np.random.SeedSequence([*self._seed, group, ply, policy]).generate_state(2)
        return self._policy_step(params, rows, words, self._temperature, self._sampled_plies)
