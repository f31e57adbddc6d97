"""The rules of Beasty Bar in Cython, for single games and for thousands of games in one call.

`new_game`, `legal_actions` and `step` play with immutable `State` values; `GameBatch` plays many
games at once on C structs.
"""

from bb_sim.arena import EXTERNAL, NO_DECISION, Arena
from bb_sim.opponents.choice import (
    best_actions,
    opponent_scores,
    play_opponents,
    select_opponent_action_from,
)
from bb_sim.rules.actions import (
    ACTIONS,
    OPPONENTS,
    POINTS,
    SCORINGS,
    SPECIES,
    Action,
    action_id,
)
from bb_sim.rules.batch import (
    NO_MOVE,
    GameBatch,
    c_state_to_python,
    python_to_c_state,
    select_random_action,
)
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.game import (
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    observe,
    ranking,
    scores,
    step,
    winner,
)
from bb_sim.rules.observation import OBSERVATION_SIZE
from bb_sim.rules.rendering import ObservationView, decode_observation, render
from bb_sim.rules.state import HIDDEN, Card, State
from bb_sim.rules.turn_steps import Sentence, TurnStep, turn_steps

__all__ = [
    "ACTIONS",
    "EXTERNAL",
    "HIDDEN",
    "NO_DECISION",
    "NO_MOVE",
    "NUM_ACTIONS",
    "OBSERVATION_SIZE",
    "OPPONENTS",
    "POINTS",
    "SCORINGS",
    "SPECIES",
    "Action",
    "Arena",
    "Card",
    "GameBatch",
    "ObservationView",
    "Sentence",
    "State",
    "TurnStep",
    "action_id",
    "best_actions",
    "c_state_to_python",
    "decode_observation",
    "is_decided",
    "is_terminal",
    "legal_actions",
    "new_game",
    "observe",
    "opponent_scores",
    "play_opponents",
    "python_to_c_state",
    "ranking",
    "render",
    "scores",
    "select_opponent_action_from",
    "select_random_action",
    "step",
    "turn_steps",
    "winner",
]
