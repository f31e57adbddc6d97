"""Determinization: worlds that agree with everything a player knows.

A decision row leaves open who the opponent is, which of its unseen cards are in its hand, and the
order of both decks. A world fills these in as a function of the row, the posterior, a seed and the
number of the world. So it cannot depend on a hidden card.
"""

import numpy as np

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from bb_sim.opponents.hands cimport hand_at, is_possible
from bb_sim.rules.afterstates cimport game_from_row, is_position, viewer_of
from bb_sim.rules.bits cimport trailing_zeros
from bb_sim.rules.conversion cimport state_from_game
from bb_sim.rules.engine cimport (
    ALL_SPECIES, DECK_SIZE, HAND_SIZE, NUM_SPECIES, OWNER_SHIFT, next_random, random_below,
)
from bb_sim.rules.observation cimport (
    DECK_BYTE, LEGAL_BYTE, OBSERVATION_SIZE, TURN_BYTE, UNSEEN_BYTE, set_at,
)

from bb_sim.opponents.posterior import uniform_posterior
from bb_sim.rules.arguments import checked_array, checked_int
from bb_sim.rules.observation import checked_rows

# The steps of the two-dimensional quasirandom sequence R2 (Roberts, "The unreasonable effectiveness
# of quasirandom sequences", 2018): 1/p and 1/p**2 for the root p = 1.3247... of p**3 = p + 1, in
# 64-bit fixed point.
cdef uint64_t CARD_STEP = <uint64_t>0xC13FA9A902A6328F
cdef uint64_t HOLDING_STEP = <uint64_t>0x91E10DA5C79E7B1D
cdef uint64_t WORLD_STEP = <uint64_t>0xD1342543DE82EF95


cdef inline int shuffled(uint16_t species, uint64_t* rng, uint8_t* cards) noexcept nogil:
    """Writes the species of a set in random order; returns their number."""
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


cdef int list_holdings(const uint8_t* row, const float* posterior,
                       Holdings* holdings) noexcept nogil:
    cdef unsigned int unseen = set_at(row, UNSEEN_BYTE) & ALL_SPECIES
    cdef double total = 0.0
    cdef int number = 0
    cdef int model, slot
    cdef float weight
    for model in range(NUM_MODELS):
        for slot in range(NUM_HANDS):
            weight = posterior[slot * NUM_MODELS + model]
            if weight > 0 and is_possible(slot, unseen):
                total += weight
                holdings.models[number] = model
                holdings.hands[number] = hand_at(slot, unseen)
                holdings.cumulative[number] = total
                number += 1
    holdings.number = number
    return number


cdef int keep_hand(Holdings* holdings, unsigned int hand) noexcept nogil:
    cdef double total = 0.0
    cdef double before = 0.0
    cdef double weight
    cdef int number = 0
    cdef int i
    for i in range(holdings.number):
        weight = holdings.cumulative[i] - before
        before = holdings.cumulative[i]
        if holdings.hands[i] == hand:
            total += weight
            holdings.models[number] = holdings.models[i]
            holdings.hands[number] = hand
            holdings.cumulative[number] = total
            number += 1
    holdings.number = number
    return number


cdef int holding_at(const Holdings* holdings, double place) noexcept nogil:
    """The first holding whose cumulative weight is above `place`, or the last one."""
    cdef int low = 0
    cdef int high = holdings.number - 1
    cdef int middle
    while low < high:
        middle = (low + high) // 2
        if holdings.cumulative[middle] > place:
            high = middle
        else:
            low = middle + 1
    return low


cdef int make_world(Game* g, const uint8_t* row, const Holdings* holdings, uint64_t seed,
                    uint64_t index) noexcept nogil:
    cdef int viewer = viewer_of(row)
    cdef int other = 1 - viewer
    # 53 bits of the sequence's second coordinate.
    cdef double part = ((scrambled(seed, ~<uint64_t>1) + index * HOLDING_STEP) >> 11) * 2.0 ** -53
    cdef int holding = holding_at(holdings, part * holdings.cumulative[holdings.number - 1])
    cdef uint8_t drawn
    cdef int count, i, place
    game_from_row(g, row)
    g.rng = scrambled(seed, index)
    count = shuffled(g.deck_set[viewer], &g.rng, g.deck[viewer])
    g.deck_left[viewer] = count
    if count > 1:
        # Each stratum is one species of the deck; the next card is that of this world's stratum.
        place = <int>((((scrambled(seed, ~<uint64_t>0) + index * CARD_STEP) >> 32) * count) >> 32)
        drawn = nth_species(g.deck_set[viewer], place)
        for i in range(count):
            if g.deck[viewer][i] == drawn:
                g.deck[viewer][i] = g.deck[viewer][count - 1]
                g.deck[viewer][count - 1] = drawn
                break
    g.deck_set[other] = g.hand[other] & ~holdings.hands[holding]
    g.hand[other] = holdings.hands[holding]
    g.deck_left[other] = shuffled(g.deck_set[other], &g.rng, g.deck[other])
    return holdings.models[holding]


cdef void order_decks(Game* g, const uint8_t* decks) noexcept nogil:
    cdef int player, i, species
    for player in range(2):
        g.deck_left[player] = 0
        for i in range(DECK_SIZE - 1, -1, -1):
            species = decks[player * DECK_SIZE + i]
            if species < NUM_SPECIES:
                g.deck[player][g.deck_left[player]] = species
                g.deck_left[player] += 1


cdef unsigned int known_hand(const uint8_t* row, const uint8_t* decks) noexcept nogil:
    cdef unsigned int hand = set_at(row, UNSEEN_BYTE)
    cdef int i, species
    for i in range(DECK_SIZE):
        species = decks[(1 - viewer_of(row)) * DECK_SIZE + i]
        if species < NUM_SPECIES:
            hand &= ~(1 << species)
    return hand


cdef inline uint8_t nth_species(uint16_t species, int n) noexcept nogil:
    while n:
        species &= species - 1
        n -= 1
    return trailing_zeros(species)


def sample_worlds(observation, seed, count, posterior=None):
    """The first worlds of a decision row, to show what a search assumes.

    Args:
      observation: the row of a player who has a legal action, uint8 [19].
      seed: the seed of the worlds, 0 to 2**64 - 1.
      count: the number of worlds.
      posterior: float32 [H, M] as in `bb_sim.opponents.posterior`; None if
        the opponent's hand is as likely as any.

    Returns:
      `count` States. A row gives only the margins of the cards that have left the queue, so the
      bars are empty and these cards are all on THAT'S IT.

    Raises:
      TypeError: `seed` or `count` is not an integer.
      ValueError: `observation` is not a decision row, `seed` or `count` is out of range, or
        `posterior` has another dtype or shape or no hand that fits the row.
    """
    cdef uint64_t stream = checked_int("seed", seed, 0, 2**64 - 1)
    count = checked_int("count", count, 0, 2**31 - 1)
    observation = np.ascontiguousarray(observation)
    if (observation.dtype != np.uint8 or observation.shape != (OBSERVATION_SIZE,)
            or not observation[LEGAL_BYTE:].any()):
        raise ValueError(f"observation must be a uint8 array of {OBSERVATION_SIZE} bytes with a "
                         "legal action")
    cdef const uint8_t[::1] row = observation
    if not is_position(&row[0]):
        raise ValueError("observation shows no position of the game")
    if posterior is None:
        posterior = uniform_posterior(observation[None], np.eye(1, NUM_MODELS))[0]
    cdef const float[:, ::1] weights = checked_array(
        "posterior", posterior, np.float32, (NUM_HANDS, NUM_MODELS)
    )
    cdef Holdings holdings
    cdef Game g
    cdef int player, species, departed
    worlds = []
    if list_holdings(&row[0], &weights[0, 0], &holdings) == 0:
        raise ValueError("posterior has no hand that fits the row")
    for index in range(count):
        make_world(&g, &row[0], &holdings, stream, index)
        departed = 0
        for player in range(2):
            for species in range(NUM_SPECIES):
                if g.thats_it[player] >> species & 1:
                    g.departed[departed] = player << OWNER_SHIFT | species
                    departed += 1
        worlds.append(state_from_game(&g))
    return worlds


def checked_decks(rows, decks):
    """A copy of the decks of positions, uint8 [B, 2, 8]; see `Simulator.begin`.

    Args:
      rows: the decision rows, uint8 [B, 19].
      decks: uint8 [B, 2, 8].

    Raises:
      ValueError: an array has another dtype or shape, or decks do not fit their row.
    """
    rows = checked_rows("rows", rows)
    decks = checked_array("decks", decks, np.uint8, (len(rows), 2, DECK_SIZE)).copy()
    bits = np.where(decks < NUM_SPECIES, 1 << np.minimum(decks, NUM_SPECIES).astype(int), 0)
    sets = np.bitwise_or.reduce(bits, axis=2)
    sizes = (decks < NUM_SPECIES).sum(axis=2)
    for b, row in enumerate(rows):
        mover = row[TURN_BYTE] & 1
        own, unseen = (int.from_bytes(bytes(row[at : at + 2]), "little")
                       for at in (DECK_BYTE, UNSEEN_BYTE))
        of_other = int(sets[b, 1 - mover])
        held = unseen.bit_count() - int(sizes[b, 1 - mover])
        if (sets[b, mover] != own or of_other & ~unseen or own.bit_count() != sizes[b, mover]
                or of_other.bit_count() != sizes[b, 1 - mover]
                or held != min(unseen.bit_count(), HAND_SIZE)):
            raise ValueError(f"the decks of position {b} do not fit its row")
    return decks
