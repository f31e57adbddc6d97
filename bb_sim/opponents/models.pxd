"""How probable each action is for each of the named opponents."""

from libc.stdint cimport uint64_t

from bb_sim.rules.engine cimport Game

# Writes probabilities[action id], NUM_ACTIONS of them, for g.to_move; 0 where an action is not
# legal. The game must be of two players and not over. What the mover draws adds the same to the
# score of every action, so the order of its deck may be unknown (`deck_left` 0).
cdef void opponent_probabilities(const Game* g, int opponent, double* probabilities) noexcept nogil

# Writes scores[opponent * NUM_ACTIONS + action] of one turn for a set of opponents, without noise.
cdef void score_turn_for(const Game* before, const Game* after, int action, unsigned int opponents,
                         double* scores) noexcept nogil

# Writes the probabilities of an opponent that scores its legal actions so, of which there is one at
# least; what is not in the set is left as it was.
cdef void probabilities_of_scores(int opponent, uint64_t actions, const double* scores,
                                  double* probabilities) noexcept nogil
