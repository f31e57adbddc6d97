"""The scores that the named opponents give a turn of a two-player game."""

from bb_sim.rules.engine cimport ActionParts, Game

cdef enum:                      # numbers of bb_sim.rules.actions.OPPONENTS
    RANDOM = 0
    HEURISTIC = 1
    AGGRESSIVE = 2
    DEFENSIVE = 3
    QUEUE = 4
    SKUNK_LOVER = 5             # `skunk`; SKUNK is the animal
    NOISY = 6
    ONLINE = 7
    OUTCOME_HEURISTIC = 8
    DISTILLED_OUTCOME = 9
    NUM_OPPONENTS = 10

ctypedef struct Turn:           # a turn of the player `me`, with the states around it
    const Game* before
    const Game* after
    int me
    int them
    ActionParts action

# The opponent's score of the turn, without the noise of `noisy`; 0 for `random`.
cdef double score_turn(const Turn* t, int opponent) noexcept nogil
