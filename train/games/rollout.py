"""The rollout of an iteration's games: decisions, rewards and results.

`G` denotes games, `N` trajectories (the learner's seat in one game), `T` = 12 decisions of a
trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExpertRecord:
    """The expert's assessment of a rollout's decisions; padding entries are arbitrary.

    Attributes:
      best: bool [N, T], whether the action played was the expert's best action.
      values: float32 [N, T, 2], outcome and margin values of the best action.
      played_values: float32 [N, T, 2], outcome and margin values of the action played.
      policy: float16 [N, T, 33], the target of the policy.
    """

    best: np.ndarray
    values: np.ndarray
    played_values: np.ndarray
    policy: np.ndarray


@dataclass(frozen=True)
class Rollout:
    """The rollout of an iteration's games; its arrays are its own.

    Attributes:
      observations: uint8 [N, T, 19].
      actions: uint8 [N, T].
      log_probs: float32 [N, T], the action's log-probability under the behaviour policy.
      lengths: int32 [N], the number of decisions; 0 for padding.
      rewards: float32 [N, 2], outcome and margin, paid at the last decision.
      margins: int8 [G], the margin of seat 0.
      outcomes: int8 [G], +1, 0 or -1 for seat 0.
      seconds: wall-clock time: "generation" in all, and of that "inference" (waiting for the
        device) and "simulation" (waiting for workers).
      expert: the expert's assessment of the decisions, if an expert played.
    """

    observations: np.ndarray
    actions: np.ndarray
    log_probs: np.ndarray
    lengths: np.ndarray
    rewards: np.ndarray
    margins: np.ndarray
    outcomes: np.ndarray
    seconds: dict[str, float]
    expert: ExpertRecord | None = None

    def rewards_with(self, draw_reward: float) -> np.ndarray:
        """The rewards, float32 [N, 2], with `draw_reward` as the outcome of a draw."""
        rewards = self.rewards.copy()
        rewards[rewards[:, 0] == 0, 0] = draw_reward
        return rewards

    @property
    def positions(self) -> int:
        """The number of decisions."""
        return int(self.lengths.sum())
