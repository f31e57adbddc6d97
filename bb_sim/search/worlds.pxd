"""Sampled worlds: games in which everything that a player cannot see is drawn at random."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from bb_sim.opponents.posterior cimport NUM_HANDS, NUM_MODELS
from bb_sim.rules.engine cimport Game

ctypedef struct Holdings:       # what the opponent may be: its models and hands, with their weights
    int number
    uint8_t[NUM_HANDS * NUM_MODELS] models
    uint16_t[NUM_HANDS * NUM_MODELS] hands
    double[NUM_HANDS * NUM_MODELS] cumulative       # sums of the weights; the last is the total

# Lists the holdings that have a weight in a posterior, float [H, M], and that fit a decision row.
# Returns their number.
cdef int list_holdings(const uint8_t* row, const float* posterior,
                       Holdings* holdings) noexcept nogil

# Keeps the holdings of one hand alone. Returns their number.
cdef int keep_hand(Holdings* holdings, unsigned int hand) noexcept nogil

# Writes world number `index` of a decision row and returns the opponent's model. The model and the
# hand are drawn by their weights, the order of both decks uniformly from what is left, and `g.rng`
# is the world's own stream. The world depends on (row, holdings, seed, index) alone. The mover's
# next card and the holdings are stratified: over consecutive worlds each comes about as often as
# its probability says. There must be a holding.
cdef int make_world(Game* g, const uint8_t* row, const Holdings* holdings, uint64_t seed,
                    uint64_t index) noexcept nogil

# Puts the cards of a world's decks in the order given: the species of players 0 and 1, DECK_SIZE
# each, the next card first; what lies beyond their ends is above every species.
cdef void order_decks(Game* g, const uint8_t* decks) noexcept nogil

# The unseen cards of a decision row that are not in the opponent's deck. `decks` holds the decks of
# both players, DECK_SIZE bytes each.
cdef unsigned int known_hand(const uint8_t* row, const uint8_t* decks) noexcept nogil
