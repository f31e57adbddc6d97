"""What a move of the opponent says about which of the named opponents it is."""

from libc.stdint cimport uint8_t, uint64_t

# Writes the likelihood of a move under each named opponent, NUM_OPPONENTS of them; false where
# `after` does not follow from `before`. Over `samples` hands drawn with the seed, or all where it is 0.
cdef bint write_move_likelihoods(const uint8_t* before, const uint8_t* after, int samples,
                                 uint64_t seed, double* likelihoods) noexcept nogil
