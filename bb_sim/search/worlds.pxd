"""Sampled worlds: games in which everything that a player cannot see is drawn at random."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.engine cimport Game

# Writes world number `index` of a decision row. The opponent's hand and the order of both decks are
# drawn uniformly from what the row leaves open, and `g.rng` is the world's own stream. The world
# depends on (row, seed, index) alone. The mover's next card is stratified: over consecutive worlds
# each card of its deck comes about equally often.
cdef void make_world(Game* g, const uint8_t* row, uint64_t seed, uint64_t index) noexcept nogil

# The opponent model of a world, drawn by the models' shares. `cumulative` holds the sums of the
# shares. Over consecutive worlds each model comes about as often as its share says.
cdef int draw_model(const float* cumulative, int models, uint64_t seed,
                    uint64_t index) noexcept nogil
