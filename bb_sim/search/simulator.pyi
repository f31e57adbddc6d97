from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT_FROM: int

class Simulator:
    capacity: int
    rows: NDArray[np.uint8]
    asks_network: bool

    def __init__(
        self,
        capacity: int,
        scoring: str = "points",
        margin_weight: float = 0.02,
        draw_reward: float = 0.0,
    ) -> None: ...
    def begin(
        self,
        observations: NDArray[np.uint8],
        candidates: NDArray[np.uint64],
        seeds: NDArray[np.uint64],
        first_worlds: NDArray[np.int32],
        num_worlds: NDArray[np.int32],
        beliefs: NDArray[np.float32],
        decks: NDArray[np.uint8] | None = None,
    ) -> None: ...
    def opponent_rows(self) -> int: ...
    def reply(self, policies: NDArray[np.float32] | None = None) -> int: ...
    def advance(self, actions: NDArray[np.uint8]) -> None: ...
    def simulations(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int8], NDArray[np.int8]]: ...
    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]: ...
