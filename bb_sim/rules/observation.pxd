"""The observation of a two-player game as a row of 19 bytes.

This is the one place that says where a row holds what. The constants are attributes of the module
`bb_sim.rules.observation` in Python too. All sets are little-endian bit masks.
"""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport NUM_SPECIES, SCORING_POINTS, Game

cpdef enum:
    OBSERVATION_SIZE = 19
    QUEUE_BYTE = 0              # QUEUE_SIZE bytes from the gate on, each 0 or the code of a card
    HAND_BYTE = 4               # own hand, a set of species in 2 bytes
    DECK_BYTE = 6               # own deck as a set
    UNSEEN_BYTE = 8             # the opponent's hand and deck together as a set
    POINTS_BYTE = 10            # points in the bar, own minus the opponent's, + POINTS_ZERO
    ANIMALS_BYTE = 11           # animals in the bar, the same, + ANIMALS_ZERO
    STRENGTH_BYTE = 12          # total strength in the bar, the same, + STRENGTH_ZERO
    TURN_BYTE = 13              # plies played
    LEGAL_BYTE = 14             # legal actions, a set of action ids up to the end of the row;
                                # empty where the viewer is not to move

cpdef enum:                     # the highest margins, so that no byte is negative
    POINTS_ZERO = 36
    ANIMALS_ZERO = 12
    STRENGTH_ZERO = 78

cpdef enum:                     # code of a card in the queue, to which its species is added
    OWN_CARD = 1
    OPPONENT_CARD = 1 + NUM_SPECIES

# Writes the row of OBSERVATION_SIZE bytes from the point of view of `viewer` (0 or 1).
cdef void write_observation(const Game* g, int viewer, uint8_t* out) noexcept nogil

# The same where legal_mask(g) of the player to move is known already.
cdef void write_observation_of(const Game* g, int viewer, uint64_t legal,
                               uint8_t* out) noexcept nogil


cdef inline unsigned int set_at(const uint8_t* row, int offset) noexcept nogil:
    """The set of species at one of HAND_BYTE, DECK_BYTE and UNSEEN_BYTE."""
    return row[offset] | row[offset + 1] << 8


cdef inline int margin_in_row(const uint8_t* row, int scoring) noexcept nogil:
    """The margin in the bar by the scoring, own minus the opponent's."""
    if scoring == SCORING_POINTS:
        return row[POINTS_BYTE] - POINTS_ZERO
    return row[ANIMALS_BYTE] - ANIMALS_ZERO


cdef inline int strength_in_row(const uint8_t* row) noexcept nogil:
    """The difference of total strength in the bar, own minus the opponent's."""
    return row[STRENGTH_BYTE] - STRENGTH_ZERO


cdef inline void add_margins(uint8_t* out, const uint8_t* row) noexcept nogil:
    """Adds the three margins of a row of the same viewer."""
    out[POINTS_BYTE] += row[POINTS_BYTE] - POINTS_ZERO
    out[ANIMALS_BYTE] += row[ANIMALS_BYTE] - ANIMALS_ZERO
    out[STRENGTH_BYTE] += row[STRENGTH_BYTE] - STRENGTH_ZERO


cdef inline void subtract_margins(uint8_t* out, const uint8_t* row) noexcept nogil:
    """Subtracts the three margins, which adds those of a row of the other viewer."""
    out[POINTS_BYTE] -= row[POINTS_BYTE] - POINTS_ZERO
    out[ANIMALS_BYTE] -= row[ANIMALS_BYTE] - ANIMALS_ZERO
    out[STRENGTH_BYTE] -= row[STRENGTH_BYTE] - STRENGTH_ZERO
