"""Instructions of the processor on 64-bit words.

A set of small numbers is a bit mask. `trailing_zeros(mask)` is its smallest member and
`mask &= mask - 1` removes that member.
"""

from libc.stdint cimport uint64_t

cdef extern from *:
    int popcount "__builtin_popcountll"(unsigned long long) noexcept nogil
    # Both are undefined for 0.
    int trailing_zeros "__builtin_ctzll"(unsigned long long) noexcept nogil
    int leading_zeros "__builtin_clzll"(unsigned long long) noexcept nogil
    uint64_t reversed_bytes "__builtin_bswap64"(uint64_t) noexcept nogil
