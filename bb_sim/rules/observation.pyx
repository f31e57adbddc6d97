"""The observation row, see observation.pxd. `bb_sim.decode_observation` reads it back."""

import numpy as np

from libc.stdint cimport uint16_t
from libc.string cimport memcpy

from bb_sim.rules.bits cimport popcount
from bb_sim.rules.engine cimport (
    NUM_ACTIONS, OWNER_SHIFT, QUEUE_SIZE, SPECIES_BITS, legal_mask, points_sum, strength_sum,
)


cdef void write_observation(const Game* g, int viewer, uint8_t* out) noexcept nogil:
    write_observation_of(g, viewer, legal_mask(g), out)


cdef void write_observation_of(const Game* g, int viewer, uint64_t legal,
                               uint8_t* out) noexcept nogil:
    cdef int other = 1 - viewer
    cdef int own_bar = g.bar[viewer]
    cdef int other_bar = g.bar[other]
    cdef uint16_t unseen = g.hand[other] | g.deck_set[other]
    cdef int i, card
    for i in range(QUEUE_SIZE):
        card = g.queue[i]
        out[QUEUE_BYTE + i] = (
            OWN_CARD + (card & SPECIES_BITS) + NUM_SPECIES * (card >> OWNER_SHIFT != viewer)
        )
        if i >= g.queue_len:
            out[QUEUE_BYTE + i] = 0
    memcpy(out + HAND_BYTE, &g.hand[viewer], 2)
    memcpy(out + DECK_BYTE, &g.deck_set[viewer], 2)
    memcpy(out + UNSEEN_BYTE, &unseen, 2)
    out[POINTS_BYTE] = points_sum(own_bar) - points_sum(other_bar) + POINTS_ZERO
    out[ANIMALS_BYTE] = popcount(own_bar) - popcount(other_bar) + ANIMALS_ZERO
    out[STRENGTH_BYTE] = strength_sum(own_bar) - strength_sum(other_bar) + STRENGTH_ZERO
    out[TURN_BYTE] = g.turn
    if viewer != g.to_move:
        legal = 0
    memcpy(out + LEGAL_BYTE, &legal, OBSERVATION_SIZE - LEGAL_BYTE)


def checked_rows(name, rows):
    """Observation rows as a C-contiguous array.

    Args:
        name: the argument's name in the caller.
        rows: uint8 [B, OBSERVATION_SIZE].

    Raises:
        ValueError: the array has another dtype or shape.
    """
    rows = np.ascontiguousarray(rows)
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != OBSERVATION_SIZE:
        raise ValueError(f"{name} must be a uint8 array of shape [B, {OBSERVATION_SIZE}]")
    return rows


def legal_mask_of(rows):
    """The legal actions of observation rows: uint8 [..., 19] -> bool [..., 33].

    All are false where the viewer is not to move.

    Raises:
        TypeError: `rows` is no array.
        ValueError: it has another dtype or shape.
    """
    if not isinstance(rows, np.ndarray):
        raise TypeError(f"rows must be a numpy array, not {type(rows).__name__}")
    if rows.dtype != np.uint8 or rows.shape[max(rows.ndim - 1, 0):] != (OBSERVATION_SIZE,):
        raise ValueError(f"rows must be a uint8 array of shape [..., {OBSERVATION_SIZE}]")
    bits = np.unpackbits(rows[..., LEGAL_BYTE:], axis=-1, count=NUM_ACTIONS, bitorder="little")
    return bits.view(bool)
