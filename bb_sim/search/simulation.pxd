"""One simulation: a game that continues from a row in one sampled world."""

from libc.stdint cimport int32_t, uint8_t

from bb_sim.rules.engine cimport Game
from bb_sim.search.objective cimport Worth

cdef enum:
    NO_REPLY = 255

ctypedef struct Simulation:
    Game game
    int32_t position            # index of the position that it began from
    int32_t place               # index of the row that the player to move sees
    float result                # worth of the result, if it is final
    uint8_t viewer              # viewer of the row that it began from
    uint8_t model               # model of the opponent
    uint8_t reply               # to the mover's last action, NO_REPLY if there is none
    bint is_final

# Notes whether the result is final, and its worth to the viewer of `row`.
cdef void settle(Simulation* simulation, const uint8_t* row, const Worth* worth) noexcept nogil

# Plays the reply of the opponent's model. For NETWORK_MODEL, `policy` holds the probability of each
# action.
cdef void play_reply(Simulation* simulation, const float* policy) noexcept nogil

# Writes the row of the player to move, in a game that began from `viewer`'s row.
cdef void write_movers_row(const Game* g, int viewer, const uint8_t* row,
                           uint8_t* out) noexcept nogil
