"""The joint posterior of the opponent's model and hand, given all that one seat has seen.

It is a forward filter. At first each set of four of the twelve species is equally probable, for
each model. A move multiplies the weight of each (hand, model) by the probability that the model
plays, with that hand, an action that leads to what was seen. Then the species played leaves the
hand, and each card that may be in the deck is drawn with the same probability. The filter is exact:
the victims of a parrot or a skunk, for example, lay in the queue and tell nothing more.

A turn's scores do not depend on the rest of the hand: it and the card drawn add the same to the
score of every action. So the actions of all unseen cards are scored once, and a hand only says
which of them are available.

Each model plays a uniformly random action with probability TREMBLE. So a move that no model would
play does not rule out all of them.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from bb_sim.opponents.choice cimport tied_best
from bb_sim.opponents.hands cimport hand_at, is_possible, next_subset, slot_of
from bb_sim.opponents.models cimport probabilities_of_scores, score_turn_for
from bb_sim.opponents.seen_move cimport (
    SeenMove, actions_of_hand, number_of_hands, others_in_hand, read_move,
)
from bb_sim.opponents.turn_score cimport NOISY, RANDOM
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport ALL_SPECIES, HAND_SIZE, NUM_ACTIONS, NUM_SPECIES, Game, play
from bb_sim.rules.observation cimport UNSEEN_BYTE, set_at

from bb_sim.opponents.seen_move import checked_moves
from bb_sim.rules.arguments import checked_array
from bb_sim.rules.observation import checked_rows

cdef extern from *:
    """
    #define BB_TREMBLE 1e-3
    """
    const double TREMBLE_SHARE "BB_TREMBLE"

TREMBLE = TREMBLE_SHARE
"""The probability that a model plays a uniformly random action."""


# --- One game -----------------------------------------------------------------------------------


cdef void spread_evenly(const uint8_t* row, const double* shares, float* posterior) noexcept nogil:
    """Makes all hands of the row's unseen cards equally probable."""
    cdef unsigned int unseen = set_at(row, UNSEEN_BYTE) & ALL_SPECIES
    cdef int number = 0
    cdef int slot, model
    memset(posterior, 0, NUM_HANDS * NUM_MODELS * sizeof(float))
    for slot in range(NUM_HANDS):
        number += is_possible(slot, unseen)
    for slot in range(NUM_HANDS):
        if is_possible(slot, unseen):
            for model in range(NUM_MODELS):
                posterior[slot * NUM_MODELS + model] = shares[model] / number


cdef unsigned int sum_shares(const float* posterior, double* shares) noexcept nogil:
    """Writes the sum over the hands for each model; returns the set of models with a share."""
    cdef unsigned int models = 0
    cdef int slot, model
    memset(shares, 0, NUM_MODELS * sizeof(double))
    for slot in range(NUM_HANDS):
        for model in range(NUM_MODELS):
            shares[model] += posterior[slot * NUM_MODELS + model]
    for model in range(NUM_MODELS):
        models |= (shares[model] > 0.0) << model
    return models


cdef void score_all_actions(const SeenMove* move, unsigned int opponents,
                            double* scores) noexcept nogil:
    """Writes scores[opponent * NUM_ACTIONS + action] of all unseen cards."""
    cdef uint64_t actions = actions_of_hand(move, move.unseen)
    cdef Game later
    while actions:
        later = move.game
        play(&later, trailing_zeros(actions))
        score_turn_for(&move.game, &later, trailing_zeros(actions), opponents, scores)
        actions &= actions - 1


cdef double chance_of_seen(const SeenMove* move, uint64_t legal, int opponent,
                           const double* scores) noexcept nogil:
    """The probability that a named opponent plays an action in `move.seen`."""
    cdef double[NUM_ACTIONS] probabilities
    cdef double chance = 0.0
    cdef uint64_t best = legal
    cdef uint64_t seen = move.seen
    if opponent == NOISY:
        probabilities_of_scores(NOISY, legal, scores, probabilities)
        while seen:
            chance += probabilities[trailing_zeros(seen)]
            seen &= seen - 1
        return chance
    if opponent != RANDOM:
        best = tied_best(legal, scores)
    return <double>popcount(best & seen) / popcount(best)


cdef void weigh_hand(const SeenMove* move, unsigned int hand, unsigned int models,
                     const double* scores, double of_network, const float* prior,
                     double* weights) noexcept nogil:
    """Writes the weight of each model with one hand after the move, before the draw."""
    cdef uint64_t legal = actions_of_hand(move, hand)
    cdef double by_chance = TREMBLE_SHARE * popcount(move.seen) / popcount(legal)
    cdef double chance
    cdef int model
    memset(weights, 0, NUM_MODELS * sizeof(double))
    while models:
        model = trailing_zeros(models)
        models &= models - 1
        if prior[model] > 0:
            chance = of_network
            if model != NETWORK_MODEL:
                chance = chance_of_seen(move, legal, model, &scores[model * NUM_ACTIONS])
            weights[model] = prior[model] * (by_chance + (1 - TREMBLE_SHARE) * chance)


cdef bint is_sound(const float* posterior) noexcept nogil:
    """Whether all weights are finite and at least 0, and one is above 0."""
    cdef double total = 0.0
    cdef int i
    for i in range(NUM_HANDS * NUM_MODELS):
        if not posterior[i] >= 0:
            return False
        total += posterior[i]
    return 0 < total < INFINITY


cdef bint follow_move(const SeenMove* move, const double* of_network,
                      float* posterior) noexcept nogil:
    """Updates the posterior. `of_network` holds the network's chances, hand by hand.

    False, and nothing is changed, if no hand with a weight can have made the move.
    """
    cdef double[NUM_OPPONENTS * NUM_ACTIONS] scores
    cdef double[NUM_HANDS * NUM_MODELS] later
    cdef double[NUM_MODELS] shares, weights
    cdef unsigned int models = sum_shares(posterior, shares)
    cdef unsigned int left = move.unseen ^ move.played
    cdef int size = others_in_hand(move)
    cdef int in_deck = popcount(left) - size
    cdef unsigned int rest = next_subset(0, left, size) if size else 0
    cdef unsigned int deck, hand
    cdef double total = 0.0
    cdef double chance = 0.0
    cdef int number = 0
    cdef int i
    score_all_actions(
        move, models & ~(1 << RANDOM) & ~(1 << NETWORK_MODEL), scores
    )
    memset(later, 0, sizeof(later))
    while True:
        hand = rest | move.played
        if of_network != NULL:
            chance = of_network[number]
        weigh_hand(move, hand, models, scores, chance, &posterior[slot_of(hand) * NUM_MODELS],
                   weights)
        for i in range(NUM_MODELS):
            total += weights[i]
            weights[i] /= max(in_deck, 1)
        deck = left ^ rest
        if deck == 0:
            add_to(&later[slot_of(rest) * NUM_MODELS], weights)
        while deck:
            add_to(&later[slot_of(rest | deck & -deck) * NUM_MODELS], weights)
            deck &= deck - 1
        number += 1
        rest = next_subset(rest, left, size) if size else 0
        if rest == 0:
            break
    if total <= 0:
        return False
    for i in range(NUM_HANDS * NUM_MODELS):
        posterior[i] = later[i] / total
    return True


cdef inline void add_to(double* sums, const double* weights) noexcept nogil:
    cdef int i
    for i in range(NUM_MODELS):
        sums[i] += weights[i]


# --- Python functions ---------------------------------------------------------------------------


def uniform_posterior(rows, shares):
    """The posterior of seats that have seen no move, or have forgotten it.

    `B` denotes seats, `H` = 495 slots of hands, `M` = 11 models.

    Args:
      rows: the seats' observations, uint8 [B, 19].
      shares: the probability of each model, float [B, M].

    Returns:
      float32 [B, H, M]: each hand of unseen cards is equally probable.

    Raises:
      ValueError: an array has another dtype or shape, or a share is negative or not finite.
    """
    rows = checked_rows("rows", rows)
    shares = np.asarray(shares)
    if shares.dtype.kind not in "fiu":
        raise ValueError(f"shares must be real numbers, not {shares.dtype}")
    shares = checked_array(
        "shares", np.asarray(shares, np.float64), np.float64, (len(rows), NUM_MODELS)
    )
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError("shares must be finite and at least 0")
    posterior = np.empty((len(rows), NUM_HANDS, NUM_MODELS), np.float32)
    cdef const uint8_t[:, ::1] given = rows
    cdef const double[:, ::1] of_models = shares
    cdef float[:, :, ::1] result = posterior
    cdef Py_ssize_t i
    with nogil:
        for i in range(given.shape[0]):
            spread_evenly(&given[i, 0], &of_models[i, 0], &result[i, 0, 0])
    return posterior


def update_posterior(posterior, seats, before_rows, after_rows, network=None):
    """Updates the posterior of some seats, in place, by a move of each one's opponent.

    `G` denotes seats, `B` moves, `H` = 495 slots of hands, `M` = 11 models, `N` hands as in
    `mover_rows`. If a row does not follow from its predecessor, by a move of these rules from a hand
    with a weight, the seat keeps the shares of the models, and all hands become equally probable.

    Args:
      posterior: float32 [G, H, M], changed; C-contiguous. It sums to 1 for each seat afterwards.
      seats: integers [B], the seats whose opponents moved, each at most once.
      before_rows, after_rows: the seats' rows around the moves, uint8 [B, 19]; see `mover_rows`.
      network: float64 [N], the probability by the network of the actions in each mask of
        `mover_rows`. None if no seat has a share for the network.

    Returns:
      bool [B], whether each row follows from its predecessor.

    Raises:
      ValueError: an argument does not fit; nothing is changed then.
    """
    before_rows, after_rows = checked_moves(before_rows, after_rows)
    size = len(before_rows)
    seats = np.asarray(seats)
    if size and seats.dtype.kind not in "iu":
        raise ValueError(f"seats must be integers, not {seats.dtype}")
    seats = seats.astype(np.int64)
    cdef const int64_t[::1] whose = checked_array("seats", seats, np.int64, (size,))
    shape = (len(posterior), NUM_HANDS, NUM_MODELS)
    if (not isinstance(posterior, np.ndarray) or posterior.dtype != np.float32
            or posterior.shape != shape):
        raise ValueError(f"posterior must be a float32 array of shape {shape}")
    flags = posterior.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise ValueError("posterior must be C-contiguous, aligned and writable")
    if size and not 0 <= np.min(seats) <= np.max(seats) < len(posterior):
        raise ValueError(f"seats must be 0 to {len(posterior) - 1}")
    # What is read must not change while the posterior is written.
    before_rows, after_rows = before_rows.copy(), after_rows.copy()
    cdef const uint8_t[:, ::1] before = before_rows
    cdef const uint8_t[:, ::1] after = after_rows
    cdef float[:, :, ::1] result = posterior
    cdef const double[::1] chances
    cdef const double* of_network = NULL
    cdef bint has_network = network is not None
    cdef double[NUM_MODELS] shares
    cdef SeenMove move
    cdef Py_ssize_t hands = 0
    cdef Py_ssize_t i
    for i in range(size):
        if not is_sound(&result[whose[i], 0, 0]):
            raise ValueError(f"the posterior of seat {whose[i]} must hold finite weights from 0 up, "
                             "one of them above 0")
    explained = np.empty(size, np.uint8)
    cdef uint8_t[::1] found = explained
    if not has_network:
        if posterior[seats, :, NETWORK_MODEL].any():
            raise ValueError("the network's probabilities are needed where it has a share")
    else:
        with nogil:
            for i in range(before.shape[0]):
                if read_move(&before[i, 0], &after[i, 0], &move):
                    hands += number_of_hands(&move)
        chances = checked_array("network", network, np.float64, (hands,)).copy()
        hands = 0
    with nogil:
        for i in range(before.shape[0]):
            found[i] = False
            if read_move(&before[i, 0], &after[i, 0], &move):
                if has_network:
                    of_network = &chances[hands]
                found[i] = follow_move(&move, of_network, &result[whose[i], 0, 0])
                hands += number_of_hands(&move)
            if not found[i]:
                sum_shares(&result[whose[i], 0, 0], shares)
                spread_evenly(&after[i, 0], shares, &result[whose[i], 0, 0])
    return explained.view(bool)


def hand_probabilities(rows, posterior):
    """The probability that the opponent holds each species.

    Args:
      rows: the seats' observations, uint8 [B, 19].
      posterior: float32 [B, H, M]; each seat's sum is above 0.

    Returns:
      float64 [B, 12], 0 for species that are not unseen.

    Raises:
      ValueError: an array has another dtype or shape.
    """
    rows = checked_rows("rows", rows)
    posterior = checked_array(
        "posterior", posterior, np.float32, (len(rows), NUM_HANDS, NUM_MODELS)
    )
    cdef const uint8_t[:, ::1] given = rows
    cdef const float[:, :, ::1] weights = posterior
    probabilities = np.zeros((len(rows), NUM_SPECIES))
    cdef double[:, ::1] result = probabilities
    cdef Py_ssize_t i
    cdef unsigned int hand, unseen
    cdef double weight, total
    cdef int slot, model
    with nogil:
        for i in range(given.shape[0]):
            unseen = set_at(&given[i, 0], UNSEEN_BYTE) & ALL_SPECIES
            total = 0.0
            for slot in range(NUM_HANDS):
                weight = 0.0
                for model in range(NUM_MODELS):
                    weight += weights[i, slot, model]
                total += weight
                hand = hand_at(slot, unseen) if is_possible(slot, unseen) else 0
                while hand:
                    result[i, trailing_zeros(hand)] += weight
                    hand &= hand - 1
            for slot in range(NUM_SPECIES):
                result[i, slot] /= total
    return probabilities
