"""Thousands of games in one call."""

from libc.stdint cimport uint8_t

from bb_sim.rules.engine cimport Game


cdef class GameBatch:
    cdef Game* games
    cdef readonly int num_games
    cdef readonly int num_players
    cdef long long play_slice(self, int start, int stop, bint stop_when_decided,
                              uint8_t* first_row) noexcept
    cdef object of_each_game(self, int (*read)(const Game*) noexcept nogil)
    cdef object checked_rows(self, str name, out)
    cdef Game* checked_game(self, index) except NULL
