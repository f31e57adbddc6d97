"""The queue packed into one 64-bit word: one byte for each card, the front in the lowest byte.

Unused bytes hold EMPTY. A *mark* is the top bit of a byte; a word of marks is a set of positions.
A question about all animals in the queue ("which are monkeys?") takes a few instructions and no
branch. Card codes are below 0x40, so no sum or difference here carries from one byte to the next.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from bb_sim.rules.bits cimport popcount, reversed_bytes, trailing_zeros
from bb_sim.rules.engine cimport ALL_SPECIES, EMPTY

cdef extern from *:
    """
    #define BB_EVERY_BYTE 0x0101010101010101ULL
    #define BB_MARKS 0x8080808080808080ULL
    #define BB_EVERY_SPECIES 0x0F0F0F0F0F0F0F0FULL
    #define BB_EMPTY_QUEUE 0x0F0F0F0F0F0F0F0FULL
    """
    const uint64_t EVERY_BYTE "BB_EVERY_BYTE"
    const uint64_t MARKS "BB_MARKS"
    const uint64_t EVERY_SPECIES "BB_EVERY_SPECIES"      # SPECIES_BITS in every byte
    const uint64_t EMPTY_QUEUE "BB_EMPTY_QUEUE"          # EMPTY in every byte


cdef inline uint64_t pack(const uint8_t* cards) noexcept nogil:
    cdef uint64_t queue
    memcpy(&queue, cards, 8)
    return queue


cdef inline void unpack(uint64_t queue, uint8_t* cards) noexcept nogil:
    memcpy(cards, &queue, 8)


cdef inline uint64_t before(int position) noexcept nogil:
    """All bits of the bytes before a position."""
    return (<uint64_t>1 << 8 * position) - 1


cdef inline uint8_t card_at(uint64_t queue, int position) noexcept nogil:
    return <uint8_t>(queue >> 8 * position)


cdef inline uint64_t insert(uint64_t queue, int position, uint8_t card) noexcept nogil:
    cdef uint64_t head = queue & before(position)
    return head | <uint64_t>card << 8 * position | (queue ^ head) << 8


cdef inline uint64_t remove(uint64_t queue, int position) noexcept nogil:
    cdef uint64_t head = queue & before(position)
    return head | (queue >> 8 & ~before(position)) | <uint64_t>EMPTY << 56


cdef inline uint64_t move_forward(uint64_t queue, int start, int end) noexcept nogil:
    return insert(remove(queue, start), end, card_at(queue, start))


cdef inline uint64_t marks_of_species(uint64_t queue, int species) noexcept nogil:
    return (MARKS - ((queue & EVERY_SPECIES) ^ species * EVERY_BYTE)) & MARKS


cdef inline uint64_t marks_of_card(uint64_t queue, uint8_t card) noexcept nogil:
    return (MARKS - (queue ^ card * EVERY_BYTE)) & MARKS


cdef inline uint64_t marks_of_at_least(uint64_t queue, int strength) noexcept nogil:
    """Animals (and empty places) of a strength or more."""
    return ((queue & EVERY_SPECIES) + (0x80 - strength) * EVERY_BYTE) & MARKS


cdef inline int first_marked(uint64_t marks) noexcept nogil:
    return trailing_zeros(marks) >> 3


cdef inline unsigned int species_present(uint64_t queue) noexcept nogil:
    """The set of species in a queue of at most four."""
    return (1 << (queue & 15) | 1 << (queue >> 8 & 15)
            | 1 << (queue >> 16 & 15) | 1 << (queue >> 24 & 15)) & ALL_SPECIES


cdef inline int count_at_least(uint64_t queue, int length, int strength) noexcept nogil:
    """How many of the first `length` animals have a strength or more."""
    return popcount(marks_of_at_least(queue, strength) & before(length))


cdef inline uint64_t mark_at(int position) noexcept nogil:
    return <uint64_t>0x80 << 8 * position


cdef inline uint64_t reversed_line(uint64_t queue, int length) noexcept nogil:
    return reversed_bytes(queue) >> 8 * (8 - length) | (EMPTY_QUEUE & ~before(length))
