"""The replay buffer of expert iteration: lessons from the expert's latest games.

`N` denotes trajectories, `T` decisions of a trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bb_jax.expert.update import Lessons
from bb_jax.networks.network import MARGIN_UNIT
from bb_sim.rules.afterstates import afterstates_of
from train.games.rollout import ExpertRecord, Rollout


def lambda_returns(
    record: ExpertRecord, lengths: np.ndarray, rewards: np.ndarray, td_lambda: float
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the value targets backwards from the end of each trajectory.

    The target of an afterstate is the target of the next decision, or the reward at the end. The
    target of a decision is the expert's value of the best action, plus `td_lambda` times the
    difference between the target of the afterstate and the expert's value of the action played
    (Harutyunyan et al., "Q(lambda) with off-policy corrections", equation 4). So a decision does
    not lose value because a worse action was played in it.

    Args:
      record: the expert's assessment of the decisions.
      lengths: int32 [N], the number of decisions.
      rewards: float32 [N, 2], in the units of the values.
      td_lambda: the weight of the correction, from 0 to 1.

    Returns:
      The targets of the decisions and of the afterstates played, each float32 [N, T, 2].
    """
    decisions = np.zeros_like(record.values)
    afterstates = np.zeros_like(record.values)
    later = np.zeros_like(rewards)
    for t in reversed(range(record.values.shape[1])):
        afterstates[:, t] = np.where((lengths - 1 == t)[:, None], rewards, later)
        surprise = afterstates[:, t] - record.played_values[:, t]
        later = record.values[:, t] + np.float32(td_lambda) * surprise
        decisions[:, t] = later
    return decisions, afterstates


def lessons_of(rollout: Rollout, td_lambda: float, draw_reward: float) -> Lessons:
    """Makes lessons of an expert's rollout, trajectory by trajectory.

    Args:
      rollout: the rollout, with the expert's record.
      td_lambda: see `lambda_returns`.
      draw_reward: the reward of a draw.
    """
    record = rollout.expert
    assert record is not None
    rewards = rollout.rewards_with(draw_reward) / np.array([1.0, MARGIN_UNIT], np.float32)
    decisions, afterstates = lambda_returns(record, rollout.lengths, rewards, td_lambda)
    inside = np.arange(record.values.shape[1]) < rollout.lengths[:, None]
    observations = rollout.observations[inside]
    return Lessons(
        observations=observations,
        afterstates=afterstates_of(observations, rollout.actions[inside]),
        policy=record.policy[inside],
        decision_values=decisions[inside],
        afterstate_values=afterstates[inside],
    )


class Replay:
    """An immutable replay buffer. Adding lessons makes a new buffer that shares the old arrays."""

    def __init__(self, chunks: Sequence[Lessons] = ()):
        """Makes a buffer of the lessons of iterations, the oldest first."""
        self._chunks = tuple(chunks)
        self._ends = np.cumsum([0] + [len(chunk.observations) for chunk in self._chunks])

    def __len__(self) -> int:
        """The number of lessons."""
        return int(self._ends[-1])

    def with_lessons(self, lessons: Lessons, capacity: int) -> Replay:
        """Makes a buffer with another iteration's lessons.

        The oldest iterations are dropped while there are more lessons than `capacity`; the new one
        always stays.
        """
        chunks = [*self._chunks, lessons]
        while sum(len(chunk.observations) for chunk in chunks) > capacity and len(chunks) > 1:
            chunks.pop(0)
        return Replay(chunks)

    def sample(self, count: int, random: np.random.Generator, room: int) -> Lessons:
        """Samples lessons uniformly with replacement.

        Args:
          count: the number of lessons.
          random: the random generator.
          room: the number of rows in the result, at least `count`. Padding rows are arbitrary.
        """
        drawn = random.integers(len(self), size=count)
        chunk_of = np.searchsorted(self._ends, drawn, side="right") - 1
        order = np.argsort(chunk_of, kind="stable")
        bounds = np.searchsorted(chunk_of[order], np.arange(len(self._chunks) + 1))
        template = self._chunks[0]
        sampled = Lessons(*(np.empty((room, *leaf.shape[1:]), leaf.dtype) for leaf in template))
        for index, chunk in enumerate(self._chunks):
            rows = order[bounds[index] : bounds[index + 1]]
            inside = drawn[rows] - self._ends[index]
            for target, source in zip(sampled, chunk, strict=True):
                target[rows] = source[inside]
        return sampled

    def to_arrays(self) -> dict[str, Any]:
        """The arrays of the chunks, by number and name; they must not be changed."""
        return {f"{i:06d}": chunk._asdict() for i, chunk in enumerate(self._chunks)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Replay:
        """Restores the buffer whose `to_arrays()` was `arrays`."""
        return cls([Lessons(**arrays[name]) for name in sorted(arrays)])
