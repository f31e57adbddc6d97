"""From observation rows back to games, and on to the states that actions lead to."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport Game

# Who sees the row: the player to move, or the other one where the row has no legal action.
cdef int viewer_of(const uint8_t* row) noexcept nogil

cdef uint64_t legal_actions_of(const uint8_t* row) noexcept nogil

# Writes the game as the viewer knows it. The viewer's deck is a set without an order, which nobody
# draws from (`deck_left` is 0); the opponent's unseen cards all lie in its hand. The bars are empty,
# so that `margin` is the change from here on; what has left the queue is on THAT'S IT.
cdef void game_from_row(Game* g, const uint8_t* row) noexcept nogil

# Writes the row of a game that went on from `game_from_row(row)`, with the margins added up.
cdef void write_later_row(const Game* g, int viewer, const uint8_t* row, uint8_t* out) noexcept nogil
