"""The replay buffer of expert iteration: the newest positions that the expert played."""

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
    """Targets of the values, backwards from the end of each trajectory.

    An afterstate is worth what the next decision is worth, and a decision what its best action is:
    the expert's value of it, corrected by `td_lambda` times what came out for the action played
    beyond the expert's value of that (Harutyunyan et al., "Q(lambda) with off-policy corrections",
    equation 4). Playing another action than the best one is no fault of the decision.

    Args:
      record: N trajectories of T decisions.
      lengths: int32 [N].
      rewards: float32 [N, 2], in the units of the values.
      td_lambda: from 0 to 1.

    Returns:
      Targets of decisions and of the afterstates played, each float32 [N, T, 2].
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
    """The positions of a rollout that an expert played, trajectory by trajectory."""
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
    """An immutable buffer: what is added gives another buffer, which shares the old positions."""

    def __init__(self, chunks: Sequence[Lessons] = ()):
        """`chunks` are the lessons of iterations, the oldest first."""
        self._chunks = tuple(chunks)
        self._ends = np.cumsum([0] + [len(chunk.observations) for chunk in self._chunks])

    def __len__(self) -> int:
        """Positions held."""
        return int(self._ends[-1])

    def with_lessons(self, lessons: Lessons, capacity: int) -> Replay:
        """The buffer with an iteration's lessons, without the oldest ones beyond the capacity."""
        chunks = [*self._chunks, lessons]
        while sum(len(chunk.observations) for chunk in chunks) > capacity and len(chunks) > 1:
            chunks.pop(0)
        return Replay(chunks)

    def sample(self, count: int, random: np.random.Generator, room: int) -> Lessons:
        """Lessons drawn uniformly, with replacement.

        Args:
          count: lessons drawn.
          random: draws them.
          room: rows of the result, `count` or more; those beyond are undefined.
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
        """The chunks by number, as a nested dict of their arrays, which nobody changes."""
        return {f"{i:06d}": chunk._asdict() for i, chunk in enumerate(self._chunks)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Replay:
        """The buffer whose `to_arrays()` was `arrays`."""
        return cls([Lessons(**arrays[name]) for name in sorted(arrays)])
