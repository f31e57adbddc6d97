"""Slots of hands: a number for each hand that the opponent may hold."""

from bb_sim.rules.bits cimport popcount

cdef enum:
    NUM_SLOTS = 495             # sets of 4 of the 12 species

# The slot of a hand, below NUM_SLOTS. Sets of four cards have different slots. A smaller hand has
# slot 0: it comes when the deck is empty, and then all unseen cards are in the hand.
cdef int slot_of(unsigned int hand) noexcept nogil

# Whether a slot has a hand of these unseen cards.
cdef bint is_possible(int slot, unsigned int unseen) noexcept nogil

# The hand in a slot, as a set, if it is possible.
cdef unsigned int hand_at(int slot, unsigned int unseen) noexcept nogil


cdef inline unsigned int next_subset(unsigned int subset, unsigned int species,
                                     int size) noexcept nogil:
    """The next subset with `size` members, in increasing order; 0 after the last one.

    `size` is at least 1.
    """
    while True:
        subset = (subset - species) & species
        if subset == 0 or popcount(subset) == size:
            return subset
