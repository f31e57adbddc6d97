"""Expectimax to the end of a game without hidden cards, against a belief about the opponent."""

from libc.stdint cimport uint64_t

from bb_sim.opponents.posterior cimport NUM_MODELS
from bb_sim.opponents.turn_score cimport NUM_OPPONENTS
from bb_sim.rules.engine cimport HAND_SIZE, MAX_LEGAL_ACTIONS, Game
from bb_sim.search.objective cimport Objective

cdef enum:
    BEST_REPLY = NUM_OPPONENTS          # the model after the named opponents
    MOST_REPLIES = MAX_LEGAL_ACTIONS + 1        # of five cards; no card has fewer than one action
    MOST_HANDS = HAND_SIZE + 1          # hands of four among five cards

ctypedef struct Replies:        # the different positions after a turn
    int number
    Game[MOST_REPLIES] games
    uint64_t[MOST_REPLIES] actions      # the sets of actions that lead there

ctypedef struct Prospect:       # what best play leads to, in expectation
    double value                # outcome + margin_weight * margin
    double win                  # probabilities
    double draw
    double margin

ctypedef struct Belief:
    unsigned int models         # the set of models with a weight
    double[NUM_MODELS] weights  # their sum is 1

ctypedef struct HandBelief:     # the belief when one of five unseen cards is in the opponent's deck
    int number
    unsigned int[MOST_HANDS] hands
    double[MOST_HANDS][NUM_MODELS] weights

# Writes the replies of a hand of at most five cards.
cdef void find_replies(const Game* g, uint64_t legal, Replies* replies) noexcept nogil

# Reads a belief from NUM_MODELS weights, which are not negative and have a sum above 0.
cdef void take_belief(const double* weights, Belief* belief) noexcept nogil

# The value of a game without hidden cards. A deck may only hold the card that is drawn next.
cdef double value_of(const Game* g, const Objective* o, const Belief* belief) noexcept nogil

# What best play leads to in a game without hidden cards; the value is that of `value_of`. Unless
# `in_parts`, the value alone is filled in, which is faster.
cdef Prospect prospect_of(const Game* g, const Objective* o, const Belief* belief,
                          bint in_parts) noexcept nogil

# The same where the opponent is to move and holds all unseen cards but one, which it draws. In `g`
# it holds that card too. Nothing else is hidden.
cdef Prospect prospect_before_last_draw(const Game* g, const Objective* o,
                                        const HandBelief* belief, bint in_parts) noexcept nogil
