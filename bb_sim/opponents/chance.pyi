from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

class ChanceEvents(NamedTuple):
    dealt: NDArray[np.uint16]
    margins: NDArray[np.int8]
    games: NDArray[np.int32]
    starts: NDArray[np.int32]
    happened: NDArray[np.int32]
    rows: NDArray[np.uint8]
    hands: NDArray[np.uint16]
    probabilities: NDArray[np.float64]

def chance_events(
    seeds: NDArray[np.uint64],
    seats: NDArray[np.uint8],
    opponents: NDArray[np.uint8],
    actions: NDArray[np.uint8],
    scoring: str = "points",
) -> ChanceEvents: ...
