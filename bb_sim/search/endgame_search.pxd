"""Expectimax to the end of a game without hidden cards, against a belief about the opponent."""

from libc.stdint cimport uint64_t

from bb_sim.rules.engine cimport MAX_LEGAL_ACTIONS, Game
from bb_sim.opponents.turn_score cimport NUM_OPPONENTS

cdef enum:
    BEST_REPLY = NUM_OPPONENTS          # the model behind the named opponents
    NUM_MODELS = NUM_OPPONENTS + 1

ctypedef struct Worth:          # of a result: outcome + margin_weight * margin
    double margin_weight
    double draw_reward          # the outcome of a draw, beside 1 for a win and -1 for a loss
    int scoring

ctypedef struct Objective:
    Worth worth
    int viewer
    int margin                  # to be added to the game's, by the scoring
    int strength                # to be added to the difference of total strength in the bar

ctypedef struct Replies:        # the different positions after a turn
    int number
    Game[MAX_LEGAL_ACTIONS] games
    uint64_t[MAX_LEGAL_ACTIONS] actions     # that lead there

ctypedef struct Belief:
    unsigned int models         # those with a weight
    double[NUM_MODELS] weights  # their sum is 1

# Of a result that a positive `difference` makes a win.
cdef double result_value(const Worth* worth, int difference, int margin) noexcept nogil

# For a hand of at most four cards.
cdef void find_replies(const Game* g, uint64_t legal, Replies* replies) noexcept nogil

# NUM_MODELS weights, not negative, with a sum above 0.
cdef void take_belief(const double* weights, Belief* belief) noexcept nogil

# Both hands are in `g.hand`; a deck may only hold what is drawn at once.
cdef double value_of(const Game* g, const Objective* o, const Belief* belief) noexcept nogil
