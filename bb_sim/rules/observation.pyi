from typing import Any

import numpy as np
from numpy.typing import NDArray

OBSERVATION_SIZE: int
QUEUE_BYTE: int
HAND_BYTE: int
DECK_BYTE: int
UNSEEN_BYTE: int
POINTS_BYTE: int
ANIMALS_BYTE: int
STRENGTH_BYTE: int
TURN_BYTE: int
LEGAL_BYTE: int
POINTS_ZERO: int
ANIMALS_ZERO: int
STRENGTH_ZERO: int
OWN_CARD: int
OPPONENT_CARD: int

def checked_rows(name: str, rows: Any) -> NDArray[np.uint8]: ...
def legal_mask_of(rows: NDArray[np.uint8]) -> NDArray[np.bool_]: ...
