"""Slots of hands: a number for each hand that the opponent may hold."""

from libc.stdint cimport uint16_t

from bb_sim.rules.engine cimport ALL_SPECIES, HAND_SIZE

cdef uint16_t[NUM_SLOTS] HANDS
cdef uint16_t[ALL_SPECIES + 1] SLOTS


cdef void fill_tables() noexcept:
    cdef int number = 0
    cdef int hand
    for hand in range(ALL_SPECIES + 1):
        SLOTS[hand] = 0
        if popcount(hand) == HAND_SIZE:
            HANDS[number] = hand
            SLOTS[hand] = number
            number += 1


fill_tables()


cdef int slot_of(unsigned int hand) noexcept nogil:
    return SLOTS[hand]


cdef bint is_possible(int slot, unsigned int unseen) noexcept nogil:
    if popcount(unseen) <= HAND_SIZE:
        return slot == SLOTS[unseen]
    return HANDS[slot] & ~unseen == 0


cdef unsigned int hand_at(int slot, unsigned int unseen) noexcept nogil:
    return unseen if popcount(unseen) <= HAND_SIZE else HANDS[slot]
