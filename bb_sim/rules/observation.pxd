"""The observation of a two-player game as a row of 19 bytes."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport Game

cdef enum:
    OBSERVATION_SIZE = 19

# Writes the row of OBSERVATION_SIZE bytes from the point of view of `viewer` (0 or 1).
cdef void write_observation(const Game* g, int viewer, uint8_t* out) noexcept nogil

# The same where legal_mask(g) of the player to move is known already.
cdef void write_observation_of(const Game* g, int viewer, uint64_t legal, uint8_t* out) noexcept nogil
