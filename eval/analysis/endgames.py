"""What is certain: final results, and positions without hidden cards.

The parts of a result are its value (outcome + margin_weight * margin), the probability of a win,
and the margin.
"""

from __future__ import annotations

import numpy as np

from bb_jax.search.config import SearchConfig
from bb_sim.rules.observation import TURN_BYTE
from bb_sim.search.endgame import action_prospects, are_endgames, position_prospects
from bb_sim.search.simulator import EXACT_FROM

# The places of the parts among those of a prospect; its third number is the draw.
_PARTS = [0, 1, 3]
_DRAW = 2


def exact_parts(outcomes: np.ndarray, margins: np.ndarray, config: SearchConfig) -> np.ndarray:
    """float64 [S, 3]: the parts of final results, int8 [S] each (a win 1, a draw 0, a loss -1)."""
    worth = np.where(outcomes == 0, config.draw_reward, outcomes) + config.margin_weight * margins
    return np.stack([worth, outcomes > 0, margins], axis=1)


def judge_endgames(
    parts: np.ndarray, rows: np.ndarray, shares: np.ndarray, config: SearchConfig, scoring: str
) -> None:
    """Replaces the network's parts, float32 [U, 3], of rows that a search solves exactly.

    Args:
      parts: changed in place.
      rows: uint8 [U, 19], decisions of the seat that searches.
      shares: float64 [M], the weights of the models of the opponent.
      config: the objective.
      scoring: "points" or "animals".
    """
    late = rows[:, TURN_BYTE] >= EXACT_FROM
    late[late] = are_endgames(rows[late])
    if late.any():
        prospects = position_prospects(
            rows[late],
            np.tile(shares, (int(late.sum()), 1)),
            config.margin_weight,
            scoring,
            config.draw_reward,
        )
        parts[late] = prospects[:, _PARTS]


def endgame_parts(
    row: np.ndarray, posterior: np.ndarray, config: SearchConfig, scoring: str
) -> tuple[np.ndarray, np.ndarray]:
    """The exact parts float64 [33, 3] of the actions of an endgame, and draws float64 [33].

    They are minus infinity where an action is not legal.
    """
    prospects = action_prospects(
        row[None], posterior[None], config.margin_weight, scoring, config.draw_reward
    )[0]
    return prospects[:, _PARTS], prospects[:, _DRAW]
