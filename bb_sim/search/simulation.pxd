"""One simulation: a game that goes on from a row in one sampled world."""

from libc.stdint cimport int32_t, uint8_t

from bb_sim.opponents.turn_score cimport NUM_OPPONENTS
from bb_sim.rules.engine cimport Game
from bb_sim.search.objective cimport Worth

cdef enum:                      # opponent models
    ASKED_MODEL = NUM_OPPONENTS     # a network; those below are the named opponents
    ALL_MODELS

ctypedef struct Simulation:
    Game game
    int32_t position            # whose row it went on from
    int32_t place               # of what the player to move sees, among rows
    float result                # where it is final
    uint8_t viewer              # of that row
    uint8_t model               # of the opponent
    bint is_final

# Notes whether the result is final, and what it is worth to the viewer of `row`.
cdef void settle(Simulation* simulation, const uint8_t* row, const Worth* worth) noexcept nogil

# Plays the reply of the opponent's model; `policy` are the probabilities of the actions for
# ASKED_MODEL.
cdef void play_reply(Simulation* simulation, const float* policy) noexcept nogil

# Writes what the player to move sees in a game that went on from `row`, which `viewer` saw.
cdef void write_movers_row(const Game* g, int viewer, const uint8_t* row,
                           uint8_t* out) noexcept nogil
