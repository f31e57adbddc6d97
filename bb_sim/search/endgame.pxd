"""Exact play against a belief about the opponent, once no card is hidden."""

from libc.stdint cimport uint8_t

from bb_sim.search.objective cimport Worth

# Whether the viewer of a row knows where every card is.
cdef bint is_endgame_row(const uint8_t* row) noexcept nogil

# The value of an endgame row. `belief` holds the weights of NUM_MODELS opponent models (see
# endgame_search.pxd), which are not negative and have a sum above 0.
cdef double position_value(const uint8_t* row, const double* belief,
                           const Worth* worth) noexcept nogil
