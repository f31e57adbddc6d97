"""The likelihood of a move for each named opponent, which tells who the opponent is.

A viewer sees the queue, the margins and the species played, but not the hand that the opponent
chose from. All hands with that species are taken to be equally probable. The likelihood of a move
is the mean over these hands of the probability of all actions that lead to what the viewer saw.

The rest of the hand and the card drawn add the same term to the score of every action. So the
actions of all unseen cards are scored once, and a hand only says which of them are available.
"""

import numpy as np

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memset

from bb_sim.opponents.choice cimport tied_best
from bb_sim.opponents.models cimport probabilities_of_scores, score_turn_for
from bb_sim.opponents.turn_score cimport NOISY, NUM_OPPONENTS, RANDOM
from bb_sim.rules.afterstates cimport game_from_row, legal_actions_of, viewer_of, write_later_row
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    ALL_SPECIES, HAND_SIZE, NUM_ACTIONS, NUM_PLIES, NUM_SPECIES, QUEUE_SIZE, Game, action_parts,
    legal_mask, next_random, play, random_below,
)
from bb_sim.rules.observation cimport (
    ANIMALS_BYTE, ANIMALS_ZERO, LEGAL_BYTE, OBSERVATION_SIZE, POINTS_BYTE, POINTS_ZERO, QUEUE_BYTE,
    STRENGTH_BYTE, STRENGTH_ZERO, TURN_BYTE, UNSEEN_BYTE, set_at, subtract_margins,
    write_observation,
)

from bb_sim.rules.arguments import checked_int
from bb_sim.rules.observation import checked_rows

cdef enum:
    SCORED = (1 << NUM_OPPONENTS) - 1 & ~(1 << RANDOM)

ctypedef struct Move:           # a move of the opponent, as the viewer saw it
    Game game                   # the game before it, with all unseen cards in the opponent's hand
    int mover
    unsigned int unseen         # the opponent's unseen cards before the move
    unsigned int played         # the species played, a set of one
    uint64_t[NUM_SPECIES] actions           # legal actions, by the species that they play
    uint64_t seen               # the actions that lead to what the viewer saw


# --- The move -----------------------------------------------------------------------------------


cdef bint are_cards_right(const Game* g, int mover) noexcept nogil:
    """Whether a row's game holds as many cards as its turn says, and so can be played on."""
    cdef int unseen = NUM_SPECIES - g.turn // 2
    return (g.turn < NUM_PLIES and g.queue_len <= g.turn
            and (g.hand[0] | g.hand[1]) <= ALL_SPECIES
            and popcount(g.hand[mover]) == unseen
            and popcount(g.hand[1 - mover]) == g.cards_left - unseen)


cdef bint looks_alike(const uint8_t* one, const uint8_t* two) noexcept nogil:
    """Whether two rows have the same queue, unseen cards, margins and turn."""
    return (memcmp(one + QUEUE_BYTE, two + QUEUE_BYTE, QUEUE_SIZE) == 0
            and memcmp(one + UNSEEN_BYTE, two + UNSEEN_BYTE, LEGAL_BYTE - UNSEEN_BYTE) == 0)


cdef bint read_move(const uint8_t* before, const uint8_t* after, Move* move) noexcept nogil:
    """Reads a move from the rows around it. False if `after` does not follow from `before`."""
    cdef int viewer = viewer_of(before)
    cdef Game* g = &move.game
    cdef uint8_t[OBSERVATION_SIZE] found
    cdef Game later
    cdef uint64_t legal
    cdef int action
    game_from_row(g, before)
    # Whether the viewer's cards are in its hand or deck makes no difference here.
    g.hand[viewer] |= g.deck_set[viewer]
    g.deck_set[viewer] = 0
    move.mover = 1 - viewer
    move.unseen = g.hand[move.mover]
    move.played = move.unseen & ~set_at(after, UNSEEN_BYTE)
    move.seen = 0
    memset(move.actions, 0, sizeof(move.actions))
    if legal_actions_of(before) or not are_cards_right(g, move.mover) or popcount(move.played) != 1:
        return False
    legal = legal_mask(g)
    while legal:
        action = trailing_zeros(legal)
        legal &= legal - 1
        move.actions[action_parts(action).played] |= <uint64_t>1 << action
        if not move.played >> action_parts(action).played & 1:
            continue
        later = g[0]
        play(&later, action)
        write_later_row(&later, viewer, before, found)
        if looks_alike(found, after):
            move.seen |= <uint64_t>1 << action
    return move.seen != 0


# --- Hands --------------------------------------------------------------------------------------


cdef inline int others_in_hand(const Move* move) noexcept nogil:
    """The number of cards in the mover's hand besides the one that it plays."""
    return min(HAND_SIZE, popcount(move.unseen)) - 1


cdef unsigned int draw_hand(const Move* move, uint64_t* rng) noexcept nogil:
    """A uniformly random hand that holds the species played."""
    cdef uint8_t[NUM_SPECIES] others
    cdef unsigned int left = move.unseen ^ move.played
    cdef unsigned int hand = move.played
    cdef int number = popcount(left)
    cdef int i, drawn
    for i in range(number):
        others[i] = trailing_zeros(left)
        left &= left - 1
    for i in range(others_in_hand(move)):
        drawn = random_below(rng, number)
        hand |= 1 << others[drawn]
        number -= 1
        others[drawn] = others[number]
    return hand


cdef uint64_t stream_of(uint64_t seed) noexcept nogil:
    """The start of a seed's random stream; neighbouring seeds start far apart."""
    return next_random(&seed)


cdef uint64_t actions_of_hand(const Move* move, unsigned int hand) noexcept nogil:
    cdef uint64_t actions = 0
    while hand:
        actions |= move.actions[trailing_zeros(hand)]
        hand &= hand - 1
    return actions


# --- Likelihoods --------------------------------------------------------------------------------


cdef void score_all_actions(const Move* move, double* scores) noexcept nogil:
    """Writes scores[opponent * NUM_ACTIONS + action] of all unseen cards."""
    cdef uint64_t actions = actions_of_hand(move, move.unseen)
    cdef Game later
    while actions:
        later = move.game
        play(&later, trailing_zeros(actions))
        score_turn_for(&move.game, &later, trailing_zeros(actions), SCORED, scores)
        actions &= actions - 1


cdef void add_likelihoods(const Move* move, unsigned int hand, const double* scores,
                          double* sums) noexcept nogil:
    """Adds each opponent's probability, with one hand, of an action in `move.seen`."""
    cdef double[NUM_ACTIONS] probabilities
    cdef uint64_t actions = actions_of_hand(move, hand)
    cdef uint64_t best, seen
    cdef int opponent
    for opponent in range(NUM_OPPONENTS):
        if opponent == NOISY:
            probabilities_of_scores(NOISY, actions, &scores[NOISY * NUM_ACTIONS], probabilities)
            seen = move.seen
            while seen:
                sums[NOISY] += probabilities[trailing_zeros(seen)]
                seen &= seen - 1
            continue
        best = actions
        if opponent != RANDOM:
            best = tied_best(actions, &scores[opponent * NUM_ACTIONS])
        sums[opponent] += <double>popcount(best & move.seen) / popcount(best)


cdef int add_all_hands(const Move* move, const double* scores, double* sums) noexcept nogil:
    """Adds the likelihoods of every hand that holds the species played; returns their number."""
    cdef unsigned int others = move.unseen ^ move.played
    cdef unsigned int chosen = 0
    cdef int size = others_in_hand(move)
    cdef int number = 0
    while True:
        if popcount(chosen) == size:
            add_likelihoods(move, chosen | move.played, scores, sums)
            number += 1
        chosen = (chosen - others) & others     # the next subset
        if chosen == 0:
            return number


# Writes the likelihood of a move for each of NUM_OPPONENTS opponents. False if `after` does not
# follow from `before`. It draws `samples` hands from the seed; 0 takes all hands.
cdef bint write_move_likelihoods(const uint8_t* before, const uint8_t* after, int samples,
                                 uint64_t seed, double* likelihoods) noexcept nogil:
    cdef double[NUM_OPPONENTS * NUM_ACTIONS] scores
    cdef Move move
    cdef int opponent, i
    memset(likelihoods, 0, NUM_OPPONENTS * sizeof(double))
    if not read_move(before, after, &move):
        return False
    score_all_actions(&move, scores)
    if samples == 0 or popcount(move.unseen) <= HAND_SIZE:
        samples = add_all_hands(&move, scores, likelihoods)
    else:
        seed = stream_of(seed)
        for i in range(samples):
            add_likelihoods(&move, draw_hand(&move, &seed), scores, likelihoods)
    for opponent in range(NUM_OPPONENTS):
        likelihoods[opponent] /= samples
    return True


# --- The mover's observations -------------------------------------------------------------------


cdef void write_mover_row(const Move* move, const uint8_t* before, unsigned int hand,
                          uint8_t* out) noexcept nogil:
    cdef Game g = move.game
    g.hand[move.mover] = hand
    g.deck_set[move.mover] = move.unseen ^ hand
    write_observation(&g, move.mover, out)
    subtract_margins(out, before)


# --- Python functions ---------------------------------------------------------------------------


def _checked_moves(before_rows, after_rows, seeds):
    before_rows = checked_rows("before_rows", before_rows)
    after_rows = checked_rows("after_rows", after_rows)
    if len(before_rows) != len(after_rows):
        raise ValueError(f"{len(before_rows)} before_rows need as many after_rows, "
                         f"not {len(after_rows)}")
    seeds = np.ascontiguousarray(seeds)
    if seeds.dtype != np.uint64 or seeds.shape != (len(before_rows),):
        raise ValueError(f"seeds must be a uint64 array of shape ({len(before_rows)},)")
    return before_rows, after_rows, seeds


def _refuse(row):
    raise ValueError(f"row {row} of after_rows does not follow from that of before_rows by one "
                     "move of the opponent")


def rows_before_first_move(after_rows):
    """The rows of the second player before the first move of the game.

    Args:
      after_rows: the second player's rows at turn 1, uint8 [B, 19].

    Returns:
      Its rows at turn 0, uint8 [B, 19].

    Raises:
      ValueError: `after_rows` has another dtype or shape, or a row is not at turn 1.
    """
    after_rows = checked_rows("after_rows", after_rows)
    late = np.flatnonzero(after_rows[:, TURN_BYTE] != 1)
    if late.size:
        turn = after_rows[late[0], TURN_BYTE]
        raise ValueError(f"row {late[0]} of after_rows is at turn {turn}, not 1")
    rows = after_rows.copy()
    rows[:, QUEUE_BYTE:QUEUE_BYTE + QUEUE_SIZE] = 0
    rows[:, UNSEEN_BYTE:UNSEEN_BYTE + 2] = ALL_SPECIES & 0xFF, ALL_SPECIES >> 8
    rows[:, POINTS_BYTE] = POINTS_ZERO
    rows[:, ANIMALS_BYTE] = ANIMALS_ZERO
    rows[:, STRENGTH_BYTE] = STRENGTH_ZERO
    rows[:, TURN_BYTE] = 0
    rows[:, LEGAL_BYTE:] = 0
    return rows


def move_likelihoods(before_rows, after_rows, samples=None, seeds=None):
    """The likelihood of a move for each named opponent, from the viewer's rows around it.

    `B` denotes the number of moves. A move is all that the viewer sees of a turn: the queue, the
    margins and the species played. The likelihood leaves out the probability that the opponent
    holds that species, which is the same for all.

    Args:
      before_rows: the viewer's rows just before the moves, without a legal action, uint8 [B, 19]. A
        row is the afterstate of the viewer's last action, before or after its draw, or comes from
        `rows_before_first_move`.
      after_rows: the viewer's rows after the moves, at its next decision for example,
        uint8 [B, 19].
      samples: the number of hands to draw for each move. None takes all hands, 165 at most. There
        is only one once the opponent's deck is empty.
      seeds: the seed of each move's samples, uint64 [B]. A result depends on its rows and its seed
        alone.

    Returns:
      The likelihoods in the order of OPPONENTS, float64 [B, 10].

    Raises:
      TypeError: `samples` is not an integer.
      ValueError: another argument does not fit, or a row does not follow from its predecessor.
    """
    if samples is None:
        number, seeds = 0, np.zeros(len(before_rows), np.uint64)
    elif seeds is None:
        raise ValueError("seeds are needed to draw samples")
    else:
        number = checked_int("samples", samples, 1, 2**31 - 1)
    before_rows, after_rows, seeds = _checked_moves(before_rows, after_rows, seeds)
    cdef const uint8_t[:, ::1] before = before_rows
    cdef const uint8_t[:, ::1] after = after_rows
    cdef const uint64_t[::1] each_seed = seeds
    likelihoods = np.empty((len(before_rows), NUM_OPPONENTS))
    cdef double[:, ::1] result = likelihoods
    cdef int hands = number
    cdef Py_ssize_t i
    cdef Py_ssize_t wrong = -1
    with nogil:
        for i in range(before.shape[0]):
            if not write_move_likelihoods(&before[i, 0], &after[i, 0], hands, each_seed[i],
                                          &result[i, 0]):
                wrong = i
                break
    if wrong >= 0:
        _refuse(wrong)
    return likelihoods


def opponent_rows(before_rows, after_rows, samples, seeds):
    """The rows that the opponent saw when it moved, for sampled hands.

    `S` denotes the number of samples. The hands are those of `move_likelihoods` with the same
    arguments. A policy's likelihood of a move is the mean, over its samples, of the policy's
    probability of the actions in the mask.

    Args:
      before_rows, after_rows, seeds: as in `move_likelihoods`.
      samples: S. All samples are equal once the opponent's deck is empty.

    Returns:
      rows: the opponent's observations, uint8 [B, S, 19].
      masks: uint64 [B, S]; bit a is set if action a leads to what the viewer saw.

    Raises:
      TypeError, ValueError: as in `move_likelihoods`.
    """
    cdef int hands = checked_int("samples", samples, 1, 2**31 - 1)
    before_rows, after_rows, seeds = _checked_moves(before_rows, after_rows, seeds)
    cdef const uint8_t[:, ::1] before = before_rows
    cdef const uint8_t[:, ::1] after = after_rows
    cdef const uint64_t[::1] each_seed = seeds
    rows = np.empty((len(before_rows), hands, OBSERVATION_SIZE), np.uint8)
    masks = np.empty((len(before_rows), hands), np.uint64)
    cdef uint8_t[:, :, ::1] result = rows
    cdef uint64_t[:, ::1] leading = masks
    cdef Move move
    cdef uint64_t rng
    cdef Py_ssize_t i, j
    cdef Py_ssize_t wrong = -1
    with nogil:
        for i in range(before.shape[0]):
            if not read_move(&before[i, 0], &after[i, 0], &move):
                wrong = i
                break
            rng = stream_of(each_seed[i])
            for j in range(hands):
                write_mover_row(&move, &before[i, 0], draw_hand(&move, &rng), &result[i, j, 0])
                leading[i, j] = move.seen
    if wrong >= 0:
        _refuse(wrong)
    return rows, masks
