"""Conversion of observation rows to games, and of later games to rows."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport Game

# The player who sees the row: the player to move if the row has a legal action, else the other.
cdef int viewer_of(const uint8_t* row) noexcept nogil

cdef uint64_t legal_actions_of(const uint8_t* row) noexcept nogil

# Whether a row shows a position that a game can be in, or one that lacks cards, as a position made
# by hand may: no card is twice in it, there are not too many cards for the turn, all codes and
# margins are in range, and the legal actions are legal. Other rows must not be made into games.
cdef bint is_position(const uint8_t* row) noexcept nogil

# Writes the game as the viewer knows it. The viewer's deck is a set without an order, and nobody
# draws from it (`deck_left` is 0). All unseen cards of the opponent are in its hand. The bars are
# empty, so `margin` counts from here on. All cards that have left the queue are on THAT'S IT.
cdef void game_from_row(Game* g, const uint8_t* row) noexcept nogil

# Writes the row of a game that began with `game_from_row(row)`; the row's margins are added.
cdef void write_later_row(const Game* g, int viewer, const uint8_t* row,
                          uint8_t* out) noexcept nogil
