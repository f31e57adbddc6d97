"""The observation row (`bb_sim.rules.rendering.decode_observation` reads it back).

Offsets, all little endian:
   0..3   queue from the front: 0 empty, 1 + species for an own card, 13 + species for the opponent's
   4, 5   own hand, bit mask over the species
   6, 7   own deck as a set
   8, 9   the opponent's hand and deck together as a set
  10      points in the bar, own minus the opponent's, + 36
  11      animals in the bar, the same, + 12
  12      total strength in the bar, the same, + 78
  13      turn (plies played)
  14..18  legal actions, bit mask over the action ids; 0 where the viewer is not to move
"""

from libc.stdint cimport uint16_t
from libc.string cimport memcpy

from bb_sim.rules.engine cimport (
    NUM_SPECIES, OWNER_SHIFT, SPECIES_BITS, legal_mask, points_sum, popcount, strength_sum,
)

cdef enum:
    POINTS_OFFSET = 36
    ANIMALS_OFFSET = 12
    STRENGTH_OFFSET = 78


cdef void write_observation(const Game* g, int viewer, uint8_t* out) noexcept nogil:
    write_observation_of(g, viewer, legal_mask(g), out)


cdef void write_observation_of(const Game* g, int viewer, uint64_t legal,
                               uint8_t* out) noexcept nogil:
    cdef int other = 1 - viewer
    cdef int own_bar = g.bar[viewer]
    cdef int other_bar = g.bar[other]
    cdef uint16_t unseen = g.hand[other] | g.deck_set[other]
    cdef int i, card
    for i in range(4):
        card = g.queue[i]
        out[i] = 1 + (card & SPECIES_BITS) + NUM_SPECIES * (card >> OWNER_SHIFT != viewer)
        if i >= g.queue_len:
            out[i] = 0
    memcpy(out + 4, &g.hand[viewer], 2)
    memcpy(out + 6, &g.deck_set[viewer], 2)
    memcpy(out + 8, &unseen, 2)
    out[10] = points_sum(own_bar) - points_sum(other_bar) + POINTS_OFFSET
    out[11] = popcount(own_bar) - popcount(other_bar) + ANIMALS_OFFSET
    out[12] = strength_sum(own_bar) - strength_sum(other_bar) + STRENGTH_OFFSET
    out[13] = g.turn
    if viewer != g.to_move:
        legal = 0
    memcpy(out + 14, &legal, 5)
