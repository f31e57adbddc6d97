"""The joint posterior of the opponent's model and hand, given all that one seat has seen."""

from bb_sim.opponents.hands cimport NUM_SLOTS
from bb_sim.opponents.turn_score cimport NUM_OPPONENTS

cpdef enum:
    # The models: the named opponents in the order of OPPONENTS, then a network.
    NETWORK_MODEL = NUM_OPPONENTS
    NUM_MODELS
    NUM_HANDS = NUM_SLOTS       # the slots of hands
