from typing import Any

import numpy as np

from bb_sim.rules.state import State

EXTERNAL: int
NO_DECISION: int
NO_ACTION: int
MAX_DECISIONS: int

class RolloutBuffer:
    observations: np.ndarray
    actions: np.ndarray
    log_probs: np.ndarray
    lengths: np.ndarray
    rewards: np.ndarray
    def __init__(
        self,
        num_trajectories: int,
        *,
        observations: np.ndarray | None = None,
        actions: np.ndarray | None = None,
        log_probs: np.ndarray | None = None,
        lengths: np.ndarray | None = None,
        rewards: np.ndarray | None = None,
    ) -> None: ...

class Arena:
    observations: np.ndarray
    deciders: np.ndarray
    games: np.ndarray
    margins: np.ndarray
    outcomes: np.ndarray
    def __init__(
        self,
        num_slots: int,
        scoring: str = "points",
        stop_when_decided: bool = True,
        *,
        observations: np.ndarray | None = None,
        deciders: np.ndarray | None = None,
    ) -> None: ...
    @property
    def num_slots(self) -> int: ...
    @property
    def pending(self) -> int: ...
    def start(
        self,
        seeds: Any,
        controllers: Any,
        *,
        rollout: RolloutBuffer | None = None,
        trajectories: Any = None,
    ) -> None: ...
    def step(self, actions: Any, log_probs: Any = None) -> None: ...
    def state(self, slot: int) -> State: ...
