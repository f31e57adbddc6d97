"""The way between a C game and a Python State."""

from bb_sim.rules.engine cimport Game

# Writes a State into a C game; its random stream stays. ValueError where cards are hidden.
cdef int game_from_state(Game* g, object state) except -1

cdef object state_from_game(const Game* g)

# ValueError that names the action where it is not legal; `where` begins the sentence.
cdef int check_legal(const Game* g, int action, str where=*) except -1
