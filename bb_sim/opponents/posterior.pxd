"""The joint posterior of the opponent's model and hand, given all that one seat has seen."""

from bb_sim.opponents.turn_score cimport NUM_OPPONENTS

cpdef enum:
    # The models: the named opponents in the order of OPPONENTS, then a network.
    NETWORK_MODEL = NUM_OPPONENTS
    NUM_MODELS
    NUM_HANDS = 495             # sets of 4 of the 12 species

# The slot of a hand, below NUM_HANDS. Sets of four cards have different slots. A smaller hand has
# slot 0: it comes when the deck is empty, and then all unseen cards are in the hand.
cdef int slot_of(unsigned int hand) noexcept nogil

# Whether a slot has a hand of these unseen cards.
cdef bint is_possible(int slot, unsigned int unseen) noexcept nogil

# The hand in a slot, as a set, if it is possible.
cdef unsigned int hand_at(int slot, unsigned int unseen) noexcept nogil
