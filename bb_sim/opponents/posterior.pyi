from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NETWORK_MODEL: int
NUM_HANDS: int
NUM_MODELS: int
TREMBLE: float

def uniform_posterior(rows: NDArray[Any], shares: NDArray[Any]) -> NDArray[np.float32]: ...
def update_posterior(
    posterior: NDArray[np.float32],
    seats: ArrayLike,
    before_rows: NDArray[Any],
    after_rows: NDArray[Any],
    network: NDArray[np.float64] | None = None,
) -> NDArray[np.bool_]: ...
def hand_probabilities(
    rows: NDArray[Any], posterior: NDArray[np.float32]
) -> NDArray[np.float64]: ...
