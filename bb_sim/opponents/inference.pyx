"""What a move of the opponent says about which of the named opponents it is.

A viewer sees the queue, the margins and which species left the opponent's unseen cards, not the
hand that the opponent chose from. That hand is taken to be uniform among those that hold the species
played; the likelihood of a move is the mean, over such hands, of the probability of all actions that
lead to what is seen.

The score that a named opponent gives an action depends on the rest of its hand and on what it draws
only by a term that all actions share. So the actions of all unseen cards are scored together, once,
and a hand merely says which of them there are.
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

ctypedef struct Move:           # of the opponent, as the viewer saw it
    Game game                   # before it, all unseen cards in the opponent's hand
    int mover
    unsigned int unseen
    unsigned int played         # the species played, a set of one
    uint64_t[NUM_SPECIES] actions           # by the species that they play
    uint64_t seen               # those that lead to what was seen


# --- The move -----------------------------------------------------------------------------------


cdef bint are_cards_right(const Game* g, int mover) noexcept nogil:
    """A game of a row holds as many cards as its turn says, so that it can be played on."""
    cdef int unseen = NUM_SPECIES - g.turn // 2
    return (g.turn < NUM_PLIES and g.queue_len <= g.turn
            and (g.hand[0] | g.hand[1]) <= ALL_SPECIES
            and popcount(g.hand[mover]) == unseen
            and popcount(g.hand[1 - mover]) == g.cards_left - unseen)


cdef bint read_move(const uint8_t* before, const uint8_t* after, Move* move) noexcept nogil:
    """False where `after` does not follow from `before`."""
    cdef int viewer = viewer_of(before)
    cdef Game* g = &move.game
    cdef uint8_t[OBSERVATION_SIZE] found
    cdef Game later
    cdef uint64_t legal
    cdef int action
    game_from_row(g, before)
    # Where the viewer holds its own cards makes no difference here.
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
        # Queue, unseen cards, margins and turn.
        if (memcmp(&found[QUEUE_BYTE], after + QUEUE_BYTE, QUEUE_SIZE) == 0
                and memcmp(&found[UNSEEN_BYTE], after + UNSEEN_BYTE, LEGAL_BYTE - UNSEEN_BYTE) == 0):
            move.seen |= <uint64_t>1 << action
    return move.seen != 0


# --- Hands --------------------------------------------------------------------------------------


cdef inline int others_in_hand(const Move* move) noexcept nogil:
    """How many cards the mover holds beside the one that it plays."""
    return min(HAND_SIZE, popcount(move.unseen)) - 1


cdef unsigned int draw_hand(const Move* move, uint64_t* rng) noexcept nogil:
    """A uniformly drawn hand that holds the species played."""
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
    """Where the stream of a seed begins: scrambled, so that neighbours share no numbers."""
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
    """Adds the probability of what was seen, from one hand, for each opponent."""
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
    """Adds up over every hand that holds the species played; returns how many there are."""
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


# --- The face to Python -------------------------------------------------------------------------


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
    raise ValueError(f"row {row} of after_rows does not follow from that of before_rows by one move "
                     "of the opponent")


def rows_before_first_move(after_rows):
    """What the second player knew before the opponent made the first move of the game.

    Args:
      after_rows: uint8 [B, 19], the second player's rows at turn 1.

    Returns:
      uint8 [B, 19], its rows at turn 0.

    Raises:
      ValueError: `after_rows` is no such array, or a row is not at turn 1.
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
    """How likely each named opponent was to make the move seen between two rows of the viewer.

    `B` denotes moves. A move is all that the viewer sees of a turn: queue, margins and the species
    played. The chance that the opponent holds that species, which is the same for all, is left out.

    Args:
      before_rows: uint8 [B, 19], what the viewer knew just before the move, with no legal action:
        the afterstate of its own last action (before or after its draw), or
        `rows_before_first_move`.
      after_rows: uint8 [B, 19], what it knew after the move, at its next decision for example.
      samples: hands of the opponent to draw for each move; None takes all of them (165 at most).
        There is only one once the opponent's deck is empty.
      seeds: uint64 [B], needed with `samples`; a result depends on its rows and its seed alone.

    Returns:
      float64 [B, 10], probabilities, in the order of OPPONENTS.

    Raises:
      TypeError, ValueError: an argument is none of these, or a row does not follow from its
        predecessor.
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
    """What the opponent saw when it moved, for hands that it may have had.

    The hands are those of `move_likelihoods` with the same arguments, so the mean over a row's
    samples of a policy's probability of the actions in the mask is the policy's likelihood.

    Args:
      before_rows, after_rows, seeds: as for `move_likelihoods`.
      samples: S, hands for each move; all alike once the opponent's deck is empty.

    Returns:
      Observations of the opponent uint8 [B, S, 19], and uint64 [B, S], bit a: action a leads to
      what the viewer saw.

    Raises:
      TypeError, ValueError: as for `move_likelihoods`.
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
