"""Conversion between a C game and a Python State."""

from bb_sim.rules.engine cimport Game

# Writes a State into a C game and keeps the game's random stream. ValueError if cards are hidden.
cdef int game_from_state(Game* g, object state) except -1

cdef object state_from_game(const Game* g)

# Raises a ValueError that names the action if it is not legal; `where` begins the sentence.
cdef int check_legal(const Game* g, int action, str where=*) except -1
