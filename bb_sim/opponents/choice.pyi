from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import Action
from bb_sim.rules.batch import GameBatch
from bb_sim.rules.state import State

def opponent_scores(state: State, opponent: str) -> dict[Action, float]: ...
def best_actions(state: State, opponent: str) -> list[Action]: ...
def select_opponent_action_from(
    batch: GameBatch, index: SupportsIndex, opponent: str
) -> Action: ...
def play_opponents(
    seeds: NDArray[Any] | Sequence[int],
    first: str,
    second: str,
    num_threads: SupportsIndex = 1,
    stop_when_decided: bool = False,
    scoring: str = "points",
) -> NDArray[np.int8]: ...
