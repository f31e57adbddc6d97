from bb_sim.actions import Action
from bb_sim.state import State

def opponent_action_probabilities(state: State, opponent: str) -> dict[Action, float]: ...
