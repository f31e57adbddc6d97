"""Expectimax to the end of a game without hidden cards, against a belief about the opponent."""

from libc.stdint cimport uint64_t

from bb_sim.opponents.turn_score cimport NUM_OPPONENTS
from bb_sim.rules.engine cimport MAX_LEGAL_ACTIONS, Game
from bb_sim.search.objective cimport Objective

cdef enum:
    BEST_REPLY = NUM_OPPONENTS          # the model behind the named opponents
    NUM_MODELS = NUM_OPPONENTS + 1

ctypedef struct Replies:        # the different positions after a turn
    int number
    Game[MAX_LEGAL_ACTIONS] games
    uint64_t[MAX_LEGAL_ACTIONS] actions     # that lead there

ctypedef struct Belief:
    unsigned int models         # those with a weight
    double[NUM_MODELS] weights  # their sum is 1

# For a hand of at most four cards.
cdef void find_replies(const Game* g, uint64_t legal, Replies* replies) noexcept nogil

# NUM_MODELS weights, not negative, with a sum above 0.
cdef void take_belief(const double* weights, Belief* belief) noexcept nogil

# Both hands are in `g.hand`; a deck may only hold what is drawn at once.
cdef double value_of(const Game* g, const Objective* o, const Belief* belief) noexcept nogil
