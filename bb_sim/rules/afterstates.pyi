from typing import Any

import numpy as np
from numpy.typing import NDArray

def expand_afterstates(
    observations: NDArray[np.uint8], *, capacity: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]: ...
def afterstates_of(observations: NDArray[np.uint8], actions: Any) -> NDArray[np.uint8]: ...
