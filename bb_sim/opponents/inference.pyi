from typing import Any

import numpy as np
from numpy.typing import NDArray

def rows_before_first_move(after_rows: NDArray[Any]) -> NDArray[np.uint8]: ...
def move_likelihoods(
    before_rows: NDArray[Any],
    after_rows: NDArray[Any],
    samples: int | None = None,
    seeds: NDArray[Any] | None = None,
) -> NDArray[np.float64]: ...
def opponent_rows(
    before_rows: NDArray[Any], after_rows: NDArray[Any], samples: int, seeds: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]: ...
