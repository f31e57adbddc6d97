from typing import Any

import numpy as np
from numpy.typing import NDArray

def checked_moves(
    before_rows: NDArray[Any], after_rows: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
def mover_rows(
    before_rows: NDArray[Any], after_rows: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.int64]]: ...
def rows_before_first_move(after_rows: NDArray[Any]) -> NDArray[np.uint8]: ...
