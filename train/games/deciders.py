"""The networks that decide in an iteration's games: the learner and the checkpoint opponents.

`S` denotes the slots of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from bb_jax.batches import pad_rows
from train.games.rollout import Rollout

# Batches of checkpoint opponents are padded to this size times a power of four, so that few shapes
# are compiled.
_SMALLEST_BATCH = 64

# See `bb_jax.make_policy_step`. The expert's step returns an ExpertChoice instead.
PolicyStep = Callable[[Any, Any, Any, Any, Any], Any]


def _padded_size(rows: int, largest: int) -> int:
    size = _SMALLEST_BATCH
    while size < rows:
        size *= 4
    return min(size, largest)


@dataclass(frozen=True)
class SamplingSettings:
    """How networks choose actions in an iteration's games.

    Attributes:
      seed: integers that all random choices depend on.
      temperature: the sampling temperature.
      sampled_plies: plies of a game whose actions are sampled; the best action is played after
        them.
      first_group: the index of this host's first group among the groups of all hosts.
    """

    seed: tuple[int, ...]
    temperature: float
    sampled_plies: int
    first_group: int = 0


# A forward pass that runs on the device. The call waits for it and returns actions uint8 [B] and
# log-probabilities float32 [B], by row.
PendingPass = Callable[[], tuple[np.ndarray, np.ndarray]]


class PendingDecisions:
    """One group's forward passes that run on the device."""

    def __init__(self, num_slots: int):
        self._num_slots = num_slots
        self._parts: list[tuple[np.ndarray | None, PendingPass]] = []

    def add(self, slots: np.ndarray | None, pending: PendingPass) -> None:
        """Adds a pass whose first rows belong to `slots`; None means all slots."""
        self._parts.append((slots, pending))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Waits for the passes; returns actions uint8 [S] and log-probabilities float32 [S]."""
        actions = np.zeros(self._num_slots, np.uint8)
        log_probs = np.zeros(self._num_slots, np.float32)
        for slots, pending in self._parts:
            row_actions, row_log_probs = pending()
            if slots is None:
                actions[:], log_probs[:] = row_actions, row_log_probs
            else:
                actions[slots] = row_actions[: len(slots)]
                log_probs[slots] = row_log_probs[: len(slots)]
        return actions, log_probs


@dataclass(frozen=True)
class WaitingGames:
    """A group's games that wait for decisions.

    Attributes:
      group: the group's index.
      ply: how many times the group has been answered before. Random choices are seeded by it and
        by the group.
      observations: uint8 [S, 19]. The array must not change until the decisions are read, because
        a CPU device may use the buffer itself.
      deciders: uint8 [S], the external policy that decides in each slot.
      games: int32 [S], the index of each slot's game in the plan.
    """

    group: int
    ply: int
    observations: np.ndarray
    deciders: np.ndarray
    games: np.ndarray


class NetworkDecider:
    """The policies of networks, which decide in one iteration's games.

    External policy 0 is the learner, and 1 + m is member m of the checkpoint opponents. The
    learner's pass always has all slots of a group as rows, so that a row's result does not depend
    on which slots wait. A member needs at most one pass a ply. It has the member's own rows, padded
    to one of a few sizes.
    """

    def __init__(
        self,
        policy_step: PolicyStep,
        learner: Any,
        members: Sequence[Any],
        settings: SamplingSettings,
    ):
        """Places nothing: all parameters are where `policy_step` uses them.

        Args:
          policy_step: the compiled policy, for any number of rows.
          learner: the learner's parameters.
          members: the parameters of the checkpoint opponents.
          settings: how actions are chosen.
        """
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
            rows = pad_rows(observations[slots], _padded_size(len(slots), num_slots))
            pending.add(slots, self._pass(params, rows, self._key(waiting, index)))
        return pending

    def complete(self, rollout: Rollout) -> Rollout:
        """Adds to the rollout of the games what this decider has recorded."""
        return rollout

    def _learner_pass(self, waiting: WaitingGames) -> PendingPass:
        return self._pass(self._learner, waiting.observations, self._key(waiting, 0))

    def _key(self, waiting: WaitingGames, policy: int) -> np.ndarray:
        """The key of a policy's random choices, uint32 [2]."""
        entropy = [*self._seed, self._first_group + waiting.group, waiting.ply, policy]
        return np.random.SeedSequence(entropy).generate_state(2)

    def _pass(self, params: Any, rows: np.ndarray, key: np.ndarray) -> PendingPass:
        packed = self._policy_step(params, rows, key, self._temperature, self._sampled_plies)

        def result() -> tuple[np.ndarray, np.ndarray]:
            actions, log_probs = jax.device_get(packed)
            return actions, log_probs.view(np.float32)

        return result
