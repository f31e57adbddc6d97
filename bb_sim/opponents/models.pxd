"""The probability of each action for each named opponent."""

from libc.stdint cimport uint64_t

from bb_sim.rules.engine cimport Game

# Writes scores[opponent * NUM_ACTIONS + action] of one turn for a set of opponents, without noise.
# The card that the mover draws adds the same to the score of every action, so the order of its deck
# may be unknown (`deck_left` is 0).
cdef void score_turn_for(const Game* before, const Game* after, int action, unsigned int opponents,
                         double* scores) noexcept nogil

# Writes probabilities[action] for each action of a set that is not empty, from an opponent's scores
# of these actions. Other entries stay as they are.
cdef void probabilities_of_scores(int opponent, uint64_t actions, const double* scores,
                                  double* probabilities) noexcept nogil
