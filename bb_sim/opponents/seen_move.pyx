"""A move of the opponent, read from what the viewer saw before and after it.

A viewer sees the queue, the margins and the species played, but not the hand that the opponent
chose from. Several actions may lead to what it saw.
"""

import numpy as np

from libc.string cimport memcmp, memset

from bb_sim.rules.afterstates cimport (
    game_from_row, is_position, legal_actions_of, viewer_of, write_later_row,
)
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    ALL_SPECIES, NUM_PLIES, QUEUE_SIZE, action_parts, legal_mask, play,
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
