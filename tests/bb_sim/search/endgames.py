"""Positions near the end of a game, and the beliefs to solve them with."""

from collections.abc import Mapping
from random import Random

import numpy as np

from bb_sim import (
    OPPONENTS,
    State,
    scores,
    winner,
)
from bb_sim.opponents.posterior import uniform_posterior
from bb_sim.search.endgame import (
    MODELS,
    endgame_values,
)
from tests.reference import rules

UNIFORM = dict.fromkeys(MODELS, 1 / len(MODELS))
CERTAIN = dict.fromkeys([name for name in OPPONENTS if name != "noisy"], 1 / 9)


def only(*models: str) -> dict[str, float]:
    return dict.fromkeys(models, 1 / len(models))


def solved(
    rows: np.ndarray,
    belief: Mapping[str, float],
    margin_weight: float = 0.02,
    scoring: str = "points",
) -> np.ndarray:
    """The values of rows uint8 [B, 19], if all hands that fit are equally probable."""
    shares = np.tile([belief.get(model, 0.0) for model in MODELS], (len(rows), 1))
    return endgame_values(rows, uniform_posterior(rows, shares), margin_weight, scoring)


def positions_at(turn: int, number: int, seed: int) -> list[rules.Position]:
    """Every other one from random play, the rest with the played cards anywhere."""
    random = Random(seed)
    found: list[rules.Position] = []
    while len(found) < number:
        if len(found) % 2:
            position = rules.deal(random)
            while position.turn < turn:
                position = rules.play(position, random.choice(rules.legal_moves(position)))
        else:
            position = rules.random_position(random)
        # In an observation the first player is always player 0.
        if (position.turn, position.to_move) == (turn, turn % 2):
            found.append(position)
    return found


def result(state: State, viewer: int, margin_weight: float) -> float:
    points = scores(state)
    best = winner(state)
    outcome = 0 if best is None else 1 if best == viewer else -1
    return outcome + margin_weight * (points[viewer] - points[1 - viewer])
