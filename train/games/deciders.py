"""Who decides for the waiting games of a group: the learner and the checkpoint opponents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from train.games.rollout import Rollout

# Batches of checkpoint opponents are padded to a power of four from here on: few compiled shapes.
_SMALLEST_BATCH = 64

# A game has 24 plies: sampling for this many is sampling always.
ALL_PLIES = 24

# See `bb_jax.make_policy_step`; the expert's step gives an ExpertChoice instead.
PolicyStep = Callable[[Any, Any, Any, Any, Any], Any]


def _padded_size(rows: int, largest: int) -> int:
    size = _SMALLEST_BATCH
    while size < rows:
        size *= 4
    return min(size, largest)


@dataclass(frozen=True)
class ActingSettings:
    """How networks choose: sampling at `temperature` for `sampled_plies` plies, then greedily.

    `first_group` is the number that this host's group 0 has among those of all hosts.
    """

    seed: tuple[int, ...]
    temperature: float
    sampled_plies: int
    first_group: int = 0


# A pass under way on the device: waits for it, and returns actions and log-probabilities by row.
Pass = Callable[[], tuple[np.ndarray, np.ndarray]]


class PendingDecisions:
    """Forward passes under way on the device for one group."""

    def __init__(self, num_slots: int):
        self._num_slots = num_slots
        self._parts: list[tuple[np.ndarray | None, Pass]] = []

    def add(self, slots: np.ndarray | None, under_way: Pass) -> None:
        """Adds a pass whose first rows belong to `slots` (None: all slots)."""
        self._parts.append((slots, under_way))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Waits; returns actions uint8 [S] and log-probabilities float32 [S]."""
        actions = np.zeros(self._num_slots, np.uint8)
        log_probs = np.zeros(self._num_slots, np.float32)
        for slots, under_way in self._parts:
            of_row, log_prob_of_row = under_way()
            if slots is None:
                actions[:], log_probs[:] = of_row, log_prob_of_row
            else:
                actions[slots] = of_row[: len(slots)]
                log_probs[slots] = log_prob_of_row[: len(slots)]
        return actions, log_probs


@dataclass(frozen=True)
class WaitingGames:
    """The games of a group that wait for decisions; S denotes its slots.

    Attributes:
      group: index of the group.
      ply: how many times this group has been answered already; with `group`, the seed of its
        random choices.
      observations: uint8 [S, 19]; must not change until the decisions are read, since a CPU device
        may read the buffer itself.
      deciders: uint8 [S], the external policy that decides in each slot.
      games: int32 [S], the iteration's game in each slot.
    """

    group: int
    ply: int
    observations: np.ndarray
    deciders: np.ndarray
    games: np.ndarray


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
        self._first_group = settings.first_group

    def decide(self, waiting: WaitingGames) -> PendingDecisions:
        """Starts the forward passes for a group's waiting decisions."""
        deciders, observations = waiting.deciders, waiting.observations
        num_slots = len(deciders)
        pending = PendingDecisions(num_slots)
        policies = np.bincount(deciders, minlength=len(self._members) + 1)
        if policies[0]:
            pending.add(None, self._learner_pass(waiting))
        for index, params in enumerate(self._members, start=1):
            if not policies[index]:
                continue
            slots = np.flatnonzero(deciders == index)
            rows = np.zeros((_padded_size(len(slots), num_slots), observations.shape[1]), np.uint8)
            rows[: len(slots)] = observations[slots]
            pending.add(slots, self._pass(params, rows, self._key(waiting, index)))
        return pending

    def complete(self, rollout: Rollout) -> Rollout:
        """The rollout of the iteration's games, with what was noted about the decisions."""
        return rollout

    def _learner_pass(self, waiting: WaitingGames) -> Pass:
        return self._pass(self._learner, waiting.observations, self._key(waiting, 0))

    def _key(self, waiting: WaitingGames, policy: int) -> np.ndarray:
        """uint32 [2], for the random choices of a policy."""
        entropy = [*self._seed, self._first_group + waiting.group, waiting.ply, policy]
        return np.random.SeedSequence(entropy).generate_state(2)

    def _pass(self, params: Any, rows: np.ndarray, key: np.ndarray) -> Pass:
        packed = self._policy_step(params, rows, key, self._temperature, self._sampled_plies)

        def result() -> tuple[np.ndarray, np.ndarray]:
            actions, log_probs = jax.device_get(packed)
            return actions, log_probs.view(np.float32)

        return result
