"""A move of the opponent, read from what the viewer saw before and after it."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport NUM_SPECIES, Game

ctypedef struct SeenMove:
    Game game                   # the game before it, with all unseen cards in the opponent's hand
    int mover
    unsigned int unseen         # the opponent's unseen cards before the move
    unsigned int played         # the species played, a set of one
    uint64_t[NUM_SPECIES] actions           # legal actions, by the species that they play
    uint64_t seen               # the actions that lead to what the viewer saw

# Reads a move from the rows around it. False if `after` does not follow from `before`.
cdef bint read_move(const uint8_t* before, const uint8_t* after, SeenMove* move) noexcept nogil

# The legal actions of a hand of unseen cards.
cdef uint64_t actions_of_hand(const SeenMove* move, unsigned int hand) noexcept nogil

# Writes the observation of the mover, had it held `hand`. `before` is the viewer's row.
cdef void write_mover_row(const SeenMove* move, const uint8_t* before, unsigned int hand,
                          uint8_t* out) noexcept nogil

# The number of cards in the mover's hand besides the one that it plays.
cdef int others_in_hand(const SeenMove* move) noexcept nogil

# The number of hands from which the move can have been made, at most 165. They are `played` and
# each subset of the other unseen cards, in the order of `next_subset`.
cdef Py_ssize_t number_of_hands(const SeenMove* move) noexcept nogil
