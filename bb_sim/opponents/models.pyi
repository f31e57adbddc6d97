from bb_sim.rules.actions import Action
from bb_sim.rules.state import State

def opponent_action_probabilities(state: State, opponent: str) -> dict[Action, float]: ...
