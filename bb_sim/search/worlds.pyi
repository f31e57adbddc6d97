import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.state import State

def sample_worlds(
    observation: NDArray[np.uint8],
    seed: int,
    count: int,
    posterior: NDArray[np.float32] | None = None,
) -> list[State]: ...
def checked_decks(rows: NDArray[np.uint8], decks: NDArray[np.uint8]) -> NDArray[np.uint8]: ...
