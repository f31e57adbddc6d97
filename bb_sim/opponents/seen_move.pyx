"""A move of the opponent, read from what the viewer saw before and after it.

A viewer sees the queue, the margins and the species played, but not the hand that the opponent
chose from. Several actions may lead to what it saw.
"""

import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcmp, memset

from bb_sim.opponents.hands cimport next_subset
from bb_sim.rules.afterstates cimport (
    game_from_row, is_position, legal_actions_of, viewer_of, write_later_row,
)
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    ALL_SPECIES, HAND_SIZE, NUM_PLIES, QUEUE_SIZE, action_parts, legal_mask, play,
)
from bb_sim.rules.observation cimport (
    ANIMALS_BYTE, ANIMALS_ZERO, LEGAL_BYTE, OBSERVATION_SIZE, POINTS_BYTE, POINTS_ZERO, QUEUE_BYTE,
    STRENGTH_BYTE, STRENGTH_ZERO, TURN_BYTE, UNSEEN_BYTE, set_at, subtract_margins,
    write_observation,
)

from bb_sim.rules.observation import checked_rows


cdef bint are_cards_right(const Game* g, int mover) noexcept nogil:
    """Whether a row's game holds as many cards as its turn says, and so can be played on."""
    cdef int unseen = NUM_SPECIES - g.turn // 2
    return (g.turn < NUM_PLIES and g.queue_len <= g.turn
            and (g.hand[0] | g.hand[1]) <= ALL_SPECIES
            and popcount(g.hand[mover]) == unseen
            and popcount(g.hand[1 - mover]) == NUM_PLIES - g.turn - unseen)


cdef bint looks_alike(const uint8_t* one, const uint8_t* two) noexcept nogil:
    """Whether two rows have the same queue, unseen cards, margins and turn."""
    return (memcmp(one + QUEUE_BYTE, two + QUEUE_BYTE, QUEUE_SIZE) == 0
            and memcmp(one + UNSEEN_BYTE, two + UNSEEN_BYTE, LEGAL_BYTE - UNSEEN_BYTE) == 0)


cdef bint read_move(const uint8_t* before, const uint8_t* after, SeenMove* move) noexcept nogil:
    cdef int viewer = viewer_of(before)
    cdef Game* g = &move.game
    cdef uint8_t[OBSERVATION_SIZE] found
    cdef Game later
    cdef uint64_t legal
    cdef int action
    if not is_position(before):
        return False
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


cdef uint64_t actions_of_hand(const SeenMove* move, unsigned int hand) noexcept nogil:
    cdef uint64_t actions = 0
    while hand:
        actions |= move.actions[trailing_zeros(hand)]
        hand &= hand - 1
    return actions


cdef void write_mover_row(const SeenMove* move, const uint8_t* before, unsigned int hand,
                          uint8_t* out) noexcept nogil:
    cdef Game g = move.game
    g.hand[move.mover] = hand
    g.deck_set[move.mover] = move.unseen ^ hand
    write_observation(&g, move.mover, out)
    subtract_margins(out, before)


cdef int others_in_hand(const SeenMove* move) noexcept nogil:
    return min(HAND_SIZE, popcount(move.unseen)) - 1


cdef Py_ssize_t number_of_hands(const SeenMove* move) noexcept nogil:
    cdef int others = popcount(move.unseen) - 1
    cdef int size = others_in_hand(move)
    cdef Py_ssize_t number = 1
    cdef int i
    for i in range(size):
        number = number * (others - i) // (i + 1)
    return number


cdef void write_mover_rows(const SeenMove* move, const uint8_t* before, uint8_t* rows,
                           uint64_t* masks) noexcept nogil:
    """Writes the mover's row for each hand from which it can have moved so."""
    cdef unsigned int left = move.unseen ^ move.played
    cdef int size = others_in_hand(move)
    cdef unsigned int rest = 0
    cdef Py_ssize_t hand
    for hand in range(number_of_hands(move)):
        if size:
            rest = next_subset(rest, left, size)
        write_mover_row(move, before, rest | move.played, rows + hand * OBSERVATION_SIZE)
        masks[hand] = move.seen


# --- Python functions ---------------------------------------------------------------------------


def checked_moves(before_rows, after_rows):
    """Rows around moves, uint8 [B, 19] each, as C-contiguous arrays.

    Raises:
      ValueError: an array has another dtype or shape.
    """
    before_rows = checked_rows("before_rows", before_rows)
    after_rows = checked_rows("after_rows", after_rows)
    if len(before_rows) != len(after_rows):
        raise ValueError(f"{len(before_rows)} before_rows need as many after_rows, "
                         f"not {len(after_rows)}")
    return before_rows, after_rows


def mover_rows(before_rows, after_rows):
    """What the opponent saw when it moved, for each hand from which it can have moved so.

    `N` denotes the hands of all moves, at most 165 a move.

    Args:
      before_rows: a seat's rows just before moves of its opponent, without a legal action,
        uint8 [B, 19]. A row is the afterstate of the seat's last action, before or after its draw,
        or comes from `rows_before_first_move`.
      after_rows: the seat's rows after the moves, at its next decisions for example, uint8 [B, 19].

    Returns:
      rows: the opponent's observations, uint8 [N, 19].
      masks: uint64 [N]; bit a is set if action a leads to what the viewer saw.
      starts: int64 [B + 1]; the hands of move b are rows[starts[b] : starts[b + 1]]. There is none
        if `after_rows` does not follow from `before_rows`.

    Raises:
      ValueError: an array has another dtype or shape.
    """
    before_rows, after_rows = checked_moves(before_rows, after_rows)
    cdef const uint8_t[:, ::1] before = before_rows
    cdef const uint8_t[:, ::1] after = after_rows
    starts = np.zeros(len(before_rows) + 1, np.int64)
    cdef int64_t[::1] starting = starts
    cdef SeenMove move
    cdef Py_ssize_t i
    with nogil:
        for i in range(before.shape[0]):
            starting[i + 1] = starting[i]
            if read_move(&before[i, 0], &after[i, 0], &move):
                starting[i + 1] += number_of_hands(&move)
    number = starts[len(before_rows)]
    rows = np.empty((number, OBSERVATION_SIZE), np.uint8)
    masks = np.empty(number, np.uint64)
    cdef uint8_t[:, ::1] result = rows
    cdef uint64_t[::1] leading = masks
    with nogil:
        for i in range(before.shape[0]):
            if read_move(&before[i, 0], &after[i, 0], &move):
                write_mover_rows(&move, &before[i, 0], &result[starting[i], 0],
                                 &leading[starting[i]])
    return rows, masks, starts


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
