from typing import Any

import numpy as np
from numpy.typing import NDArray

def rows_before_first_move(after_rows: NDArray[Any]) -> NDArray[np.uint8]: ...
