"""What one iteration's games leave behind for the learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExpertRecord:
    """What the expert thought of the decisions of a rollout.

    N denotes trajectories, T = 12 decisions; entries beyond a trajectory's length mean nothing.

    Attributes:
      best: bool [N, T], whether the action played was the expert's best.
      values: float32 [N, T, 2], of its best action.
      played_values: float32 [N, T, 2], of the action played.
      policy: float16 [N, T, 33], what the policy is drawn to.
    """

    best: np.ndarray
    values: np.ndarray
    played_values: np.ndarray
    policy: np.ndarray


@dataclass(frozen=True)
class Rollout:
    """What one iteration's games leave behind; owned by the caller.

    N denotes trajectories (a learner's seat in one game), T = 12 its decisions, G games.

    Attributes:
      observations: uint8 [N, T, 19].
      actions: uint8 [N, T].
      log_probs: float32 [N, T], log-probability of the action under the policy that acted.
      lengths: int32 [N], 0 for padding.
      rewards: float32 [N, 2], paid at the last decision: outcome, and margin.
      margins: int8 [G], of seat 0.
      outcomes: int8 [G], +1, 0 or -1 for seat 0.
      expert: what the expert thought of the decisions, where one played.
      seconds: where the time went: "generation" in all, and in it "inference" (waiting for the
        device) and "simulation" (waiting for workers).
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
        """The rewards with another outcome of a draw than 0."""
        rewards = self.rewards.copy()
        rewards[rewards[:, 0] == 0, 0] = draw_reward
        return rewards

    @property
    def positions(self) -> int:
        """Decisions recorded."""
        return int(self.lengths.sum())
