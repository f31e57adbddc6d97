"""Expectimax to the end of a game without hidden cards, against a belief about the opponent."""

from libc.stdint cimport uint64_t

from bb_sim.opponents.turn_score cimport NUM_OPPONENTS
from bb_sim.rules.engine cimport MAX_LEGAL_ACTIONS, Game
from bb_sim.search.objective cimport Objective

cdef enum:
    BEST_REPLY = NUM_OPPONENTS          # the model after the named opponents
    NUM_MODELS = NUM_OPPONENTS + 1

ctypedef struct Replies:        # the different positions after a turn
    int number
    Game[MAX_LEGAL_ACTIONS] games
    uint64_t[MAX_LEGAL_ACTIONS] actions     # the sets of actions that lead there

ctypedef struct Belief:
    unsigned int models         # the set of models with a weight
    double[NUM_MODELS] weights  # their sum is 1

# Writes the replies of a hand of at most four cards.
cdef void find_replies(const Game* g, uint64_t legal, Replies* replies) noexcept nogil

# Reads a belief from NUM_MODELS weights, which are not negative and have a sum above 0.
cdef void take_belief(const double* weights, Belief* belief) noexcept nogil

# The value of a game without hidden cards. A deck may only hold the card that is drawn next.
cdef double value_of(const Game* g, const Objective* o, const Belief* belief) noexcept nogil
