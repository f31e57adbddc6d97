"""The choice of the ten named opponents, for a game of two players."""

from libc.stdint cimport uint64_t

from bb_sim.rules.engine cimport Game

cdef extern from *:
    """
    #define BB_NOISE 0.15
    """
    const double NOISE "BB_NOISE"           # standard deviation of the noise of `noisy`

# The action id that an opponent plays for g.to_move. `opponent` is its index in OPPONENTS. Ties and
# noise are drawn from g.rng. The game must not be over.
cdef int select_opponent_action(Game* g, int opponent) noexcept nogil

# Writes scores[action id], without noise, for a set of legal actions.
cdef void score_actions(const Game* g, uint64_t actions, int opponent,
                        double* scores) noexcept nogil

# The actions that an opponent draws among: those within 1e-6 of the best score. `actions` must not
# be empty.
cdef uint64_t tied_best(uint64_t actions, const double* scores) noexcept nogil

# The index of a name in OPPONENTS. ValueError if there is no such opponent.
cdef int opponent_number(object name) except -1

# The legal actions. ValueError if the game is over or has more than two players.
cdef uint64_t actions_to_choose_from(const Game* g) except 0
