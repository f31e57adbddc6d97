from typing import Any

import numpy as np
from numpy.typing import NDArray

MODELS: tuple[str, ...]

def are_endgames(rows: NDArray[Any]) -> NDArray[np.bool_]: ...
def endgame_values(
    rows: NDArray[Any],
    posterior: NDArray[np.float32],
    margin_weight: float,
    scoring: str = "points",
    draw_reward: float = 0.0,
) -> NDArray[np.float64]: ...
def action_prospects(
    rows: NDArray[Any],
    posterior: NDArray[np.float32],
    margin_weight: float,
    scoring: str = "points",
    draw_reward: float = 0.0,
) -> NDArray[np.float64]: ...
def position_prospects(
    rows: NDArray[Any],
    shares: NDArray[np.float64],
    margin_weight: float,
    scoring: str = "points",
    draw_reward: float = 0.0,
) -> NDArray[np.float64]: ...
