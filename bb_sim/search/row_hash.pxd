"""Tables of rows by their hash, for finding equal rows."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy


cdef inline Py_ssize_t table_size_for(Py_ssize_t rows) noexcept nogil:
    """A power of two of at least twice the rows, so that look-ups in the table are short."""
    cdef Py_ssize_t size = 2
    while size < 2 * rows:
        size *= 2
    return size


cdef inline uint64_t hash_of(const uint8_t* row) noexcept nogil:
    cdef uint64_t a, b
    cdef uint64_t c = 0
    memcpy(&a, row, 8)
    memcpy(&b, row + 8, 8)
    memcpy(&c, row + 16, 3)
    a = (a ^ (b * <uint64_t>0xFF51AFD7ED558CCD)) + c * <uint64_t>0xC4CEB9FE1A85EC53
    a ^= a >> 32
    a *= <uint64_t>0x9E3779B97F4A7C15
    return a >> 32
