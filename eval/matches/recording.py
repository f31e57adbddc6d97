"""What players play in games, kept by the arena."""

import numpy as np

from bb_sim.arena import NO_ACTION, RolloutBuffer


class Recording:
    """The actions of one seat of each of G games: seat g % 2 of game g.

    Attributes:
      rollout: where the arena writes them.
      trajectories: the trajectory of each game's seats, int32 [G, 2]; -1 where none is kept.
    """

    def __init__(self, games: int) -> None:
        self.rollout = RolloutBuffer(games)
        self.trajectories = np.full((games, 2), -1, np.int32)
        numbers = np.arange(games)
        self.trajectories[numbers, numbers % 2] = numbers

    @property
    def actions(self) -> np.ndarray:
        """What was played, in order, uint8 [G, 12]; 255 after the last turn."""
        turns = np.arange(self.rollout.actions.shape[1])
        played = turns < self.rollout.lengths[:, None]
        return np.where(played, self.rollout.actions, NO_ACTION).astype(np.uint8)
