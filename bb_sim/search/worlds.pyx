"""Determinization: worlds that agree with all that a player knows.

A decision row leaves open which of the opponent's unseen cards are in its hand, and the order of
both decks. What a world puts there is a function of the row, a seed and the number of the world, so
that no hidden card can reach it.
"""

import numpy as np

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from bb_sim.rules.afterstates cimport game_from_row, viewer_of
from bb_sim.rules.bits cimport trailing_zeros
from bb_sim.rules.conversion cimport state_from_game
from bb_sim.rules.engine cimport (
    HAND_SIZE, NUM_SPECIES, OWNER_SHIFT, Game, next_random, random_below,
)
from bb_sim.rules.observation cimport LEGAL_BYTE, OBSERVATION_SIZE

# Steps of additive recurrences over the unit interval in 64-bit fixed point, 1/p and 1/p**2 for the
# root p = 1.3247... of p**3 = p + 1: the two-dimensional sequence R2 (Roberts, "The unreasonable
# effectiveness of quasirandom sequences", 2018).
cdef uint64_t CARD_STEP = <uint64_t>0xC13FA9A902A6328F
cdef uint64_t MODEL_STEP = <uint64_t>0x91E10DA5C79E7B1D
cdef uint64_t WORLD_STEP = <uint64_t>0xD1342543DE82EF95


cdef inline int shuffled(uint16_t species, uint64_t* rng, uint8_t* cards) noexcept nogil:
    """Writes the species of a set in random order; returns how many there are."""
    cdef int count = 0
    cdef int i, j
    while species:
        # The inside-out form of the Fisher-Yates shuffle.
        j = random_below(rng, count + 1)
        cards[count] = cards[j]
        cards[j] = trailing_zeros(species)
        species &= species - 1
        count += 1
    return count


cdef inline uint64_t scrambled(uint64_t seed, uint64_t index) noexcept nogil:
    cdef uint64_t state = seed + index * WORLD_STEP
    return next_random(&state)


cdef void make_world(Game* g, const uint8_t* row, uint64_t seed, uint64_t index) noexcept nogil:
    cdef int viewer = viewer_of(row)
    cdef int other = 1 - viewer
    cdef uint8_t[NUM_SPECIES] cards
    cdef uint8_t drawn
    cdef int count, i, place
    game_from_row(g, row)
    g.rng = scrambled(seed, index)
    count = shuffled(g.deck_set[viewer], &g.rng, g.deck[viewer])
    g.deck_left[viewer] = count
    if count > 1:
        # The next card is the one of a stratum, taken from the set so that strata are species.
        place = <int>((((scrambled(seed, ~<uint64_t>0) + index * CARD_STEP) >> 32) * count) >> 32)
        drawn = nth_species(g.deck_set[viewer], place)
        for i in range(count):
            if g.deck[viewer][i] == drawn:
                g.deck[viewer][i] = g.deck[viewer][count - 1]
                g.deck[viewer][count - 1] = drawn
                break
    count = shuffled(g.hand[other], &g.rng, cards)
    for i in range(HAND_SIZE, count):
        g.deck[other][i - HAND_SIZE] = cards[i]
        g.deck_set[other] |= 1 << cards[i]
    g.hand[other] ^= g.deck_set[other]
    g.deck_left[other] = max(0, count - HAND_SIZE)


cdef inline uint8_t nth_species(uint16_t species, int n) noexcept nogil:
    while n:
        species &= species - 1
        n -= 1
    return trailing_zeros(species)


cdef int draw_model(const float* cumulative, int models, uint64_t seed,
                    uint64_t index) noexcept nogil:
    cdef uint64_t place = scrambled(seed, ~<uint64_t>1) + index * MODEL_STEP
    # 24 bits times a float are exact as a double, and so below the total.
    cdef double uniform = ((place >> 40) * 2.0 ** -24) * cumulative[models - 1]
    cdef int model = 0
    while model < models - 1 and cumulative[model] <= uniform:
        model += 1
    return model


def sample_worlds(observation, seed, count):
    """The first worlds of a decision row, for a look at what a search assumes.

    Args:
      observation: uint8 [19], of a player who has a legal action.
      seed: 0 to 2**64 - 1.
      count: number of worlds.

    Returns:
      As many States. The bars are empty and all that has left the queue is on THAT'S IT, since a
      row says no more of it than the margins.

    Raises:
      ValueError: `observation` is no such row, or `seed` or `count` are out of range.
    """
    observation = np.ascontiguousarray(observation)
    if (observation.dtype != np.uint8 or observation.shape != (OBSERVATION_SIZE,)
            or not observation[LEGAL_BYTE:].any()):
        raise ValueError(f"observation must be a uint8 array of {OBSERVATION_SIZE} bytes with a "
                         "legal action")
    if not 0 <= seed < 1 << 64 or count < 0:
        raise ValueError("seed must be 0 to 2**64 - 1 and count not negative")
    cdef const uint8_t[::1] row = observation
    cdef uint64_t stream = seed
    cdef Game g
    cdef int player, species, departed
    worlds = []
    for index in range(count):
        make_world(&g, &row[0], stream, index)
        departed = 0
        for player in range(2):
            for species in range(NUM_SPECIES):
                if g.thats_it[player] >> species & 1:
                    g.departed[departed] = player << OWNER_SHIFT | species
                    departed += 1
        worlds.append(state_from_game(&g))
    return worlds
