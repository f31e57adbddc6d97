"""Exact play against a belief about the opponent once no card is hidden any more."""

from libc.stdint cimport uint8_t

from bb_sim.search.objective cimport Worth

# Whether the viewer of a row knows where every card is.
cdef bint is_endgame_row(const uint8_t* row) noexcept nogil

# Both for a row that is an endgame. `belief` holds NUM_MODELS (of bb_sim.search.endgame_search) weights,
# not negative, with a sum above 0. The first writes
# values[action id], NUM_ACTIONS of them, minus infinity where an action is not legal; the second is
# the value of the row itself, whoever is to move.
cdef void write_action_values(const uint8_t* row, const double* belief, const Worth* worth,
                              double* values) noexcept nogil
cdef double position_value(const uint8_t* row, const double* belief,
                           const Worth* worth) noexcept nogil
