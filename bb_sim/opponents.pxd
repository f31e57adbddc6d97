"""The choice of the ten named opponents, for a game of two players."""

from bb_sim.engine cimport Game

# The action id that an opponent, by its index in OPPONENTS, plays for g.to_move. Draws among ties
# and noise come from g.rng. The game must not be over.
cdef int select_opponent_action(Game* g, int opponent) noexcept nogil
