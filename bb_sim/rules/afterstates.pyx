"""Afterstates: what a player sees after its action and before it draws a card.

An action has no hidden effect, so the afterstate is a function of the observation row and the
action. Its row is an observation in which the viewer is not to move: the card has left the hand,
the deck is still complete, the turn is one higher and no action is legal.
"""

import numpy as np

from libc.stdint cimport int32_t, uint16_t
from libc.string cimport memcpy, memset

from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    ALL_SPECIES, DECK_SIZE, EMPTY, HAND_SIZE, NUM_ACTIONS, NUM_PLIES, NUM_SPECIES, OWNER_SHIFT,
    QUEUE_SIZE, legal_mask, play,
)
from bb_sim.rules.observation cimport (
    ANIMALS_BYTE, ANIMALS_ZERO, DECK_BYTE, HAND_BYTE, LEGAL_BYTE, OBSERVATION_SIZE, OPPONENT_CARD,
    OWN_CARD, POINTS_BYTE, POINTS_ZERO, QUEUE_BYTE, STRENGTH_BYTE, STRENGTH_ZERO, TURN_BYTE,
    UNSEEN_BYTE, add_margins, set_at, write_observation,
)

from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.arguments import checked_int
from bb_sim.rules.observation import checked_rows


# --- Rows and games -----------------------------------------------------------------------------


cdef uint64_t legal_actions_of(const uint8_t* row) noexcept nogil:
    cdef uint64_t legal = 0
    memcpy(&legal, row + LEGAL_BYTE, OBSERVATION_SIZE - LEGAL_BYTE)
    return legal


cdef int viewer_of(const uint8_t* row) noexcept nogil:
    return row[TURN_BYTE] & 1 ^ (legal_actions_of(row) == 0)


cdef bint is_position(const uint8_t* row) noexcept nogil:
    cdef unsigned int hand = set_at(row, HAND_BYTE)
    cdef unsigned int deck = set_at(row, DECK_BYTE)
    cdef unsigned int own = hand | deck
    cdef unsigned int others = set_at(row, UNSEEN_BYTE)
    cdef int cards = popcount(own) + popcount(others)
    cdef uint64_t legal = legal_actions_of(row)
    cdef bint is_end = False
    cdef unsigned int card
    cdef Game g
    cdef int i, code
    if (hand & deck or (own | others) > ALL_SPECIES or popcount(hand) > HAND_SIZE
            or popcount(deck) > DECK_SIZE or row[TURN_BYTE] + cards > NUM_PLIES
            or row[POINTS_BYTE] > 2 * POINTS_ZERO or row[ANIMALS_BYTE] > 2 * ANIMALS_ZERO
            or row[STRENGTH_BYTE] > 2 * STRENGTH_ZERO):
        return False
    for i in range(QUEUE_SIZE):
        code = row[QUEUE_BYTE + i]
        if code == 0:
            is_end = True
            continue
        card = 1 << (code - OWN_CARD) % NUM_SPECIES
        if is_end or code >= OPPONENT_CARD + NUM_SPECIES:
            return False
        if code < OPPONENT_CARD:
            if own & card:
                return False
            own |= card
        else:
            if others & card:
                return False
            others |= card
    game_from_row(&g, row)
    return legal == 0 or legal & ~legal_mask(&g) == 0


cdef void game_from_row(Game* g, const uint8_t* row) noexcept nogil:
    cdef int viewer = viewer_of(row)
    cdef int other = 1 - viewer
    cdef int i, code, owner, species, player
    cdef uint16_t[2] queued = [0, 0]
    memset(g, 0, sizeof(Game))
    memset(g.queue, EMPTY, sizeof(g.queue))
    for i in range(QUEUE_SIZE):
        code = row[QUEUE_BYTE + i]
        if code == 0:
            break
        owner = viewer if code < OPPONENT_CARD else other
        species = (code - OWN_CARD) % NUM_SPECIES
        g.queue[i] = owner << OWNER_SHIFT | species
        queued[owner] |= 1 << species
        g.queue_len += 1
    memcpy(&g.hand[viewer], row + HAND_BYTE, 2)
    memcpy(&g.deck_set[viewer], row + DECK_BYTE, 2)
    memcpy(&g.hand[other], row + UNSEEN_BYTE, 2)
    for player in range(2):
        g.thats_it[player] = ALL_SPECIES & ~(g.hand[player] | g.deck_set[player] | queued[player])
    g.num_players = 2
    g.turn = row[TURN_BYTE]
    g.to_move = g.turn & 1
    g.cards_left = popcount(g.hand[0] | g.deck_set[0]) + popcount(g.hand[1] | g.deck_set[1])
    g.num_departed = popcount(g.thats_it[0]) + popcount(g.thats_it[1])


cdef void write_later_row(const Game* g, int viewer, const uint8_t* row,
                          uint8_t* out) noexcept nogil:
    write_observation(g, viewer, out)
    add_margins(out, row)


# --- Python functions ---------------------------------------------------------------------------


def expand_afterstates(observations, *, capacity=None):
    """The afterstates of all legal actions, row by row, in the order of the action ids.

    `B` denotes the number of observations, `E` the number of afterstates.

    Args:
      observations: the rows, uint8 [B, 19]; a row without a legal action has no afterstate.
      capacity: E. Unused rows at the end are zero. By default E is the number of afterstates.

    Returns:
      afterstates: uint8 [E, 19].
      starts: int32 [B + 1]; the afterstates of row b are `afterstates[starts[b] : starts[b + 1]]`.

    Raises:
      TypeError: `capacity` is not an integer.
      ValueError: `observations` has another dtype or shape, or more afterstates than `capacity`, or
        a row with a legal action shows no position.
    """
    if capacity is not None:
        capacity = checked_int("capacity", capacity, 0, 2**31 - 1)
    observations = checked_rows("observations", observations)
    cdef const uint8_t[:, ::1] rows = observations
    starts = np.zeros(len(observations) + 1, np.int32)
    cdef int32_t[::1] starting = starts
    cdef Py_ssize_t number = 0
    cdef Py_ssize_t end = 0
    cdef Py_ssize_t wrong = -1
    cdef Py_ssize_t i
    cdef int found
    with nogil:
        for i in range(rows.shape[0]):
            found = popcount(legal_actions_of(&rows[i, 0]))
            if found and not is_position(&rows[i, 0]):
                wrong = i
                break
            number += found
            starting[i + 1] = <int32_t>number
    if wrong >= 0:
        raise ValueError(f"row {wrong} of observations shows no position of the game")
    if capacity is None:
        capacity = number
    if number > capacity:
        raise ValueError(f"there are {number} afterstates, more than the capacity of {capacity}")
    afterstates = np.zeros((capacity, OBSERVATION_SIZE), np.uint8)
    cdef uint8_t[:, ::1] results = afterstates
    if number:
        with nogil:
            for i in range(rows.shape[0]):
                end += write_afterstates(&rows[i, 0], &results[end, 0])
                if end == results.shape[0]:
                    break
    return afterstates, starts


def afterstates_of(observations, actions):
    """The afterstate of one action of each observation.

    Args:
      observations: the rows, uint8 [B, 19].
      actions: a legal action id for each row, integers [B].

    Returns:
      The afterstates, uint8 [B, 19].

    Raises:
      ValueError: the arrays have other shapes, an action is not legal, or a row shows no position.
        The message names it.
    """
    observations = checked_rows("observations", observations)
    actions = np.asarray(actions)
    if actions.shape != (len(observations),) or actions.dtype.kind not in "iu":
        raise ValueError(f"actions must be {len(observations)} integers")
    # No number of another size may turn into an action.
    known = (actions >= 0) & (actions < NUM_ACTIONS)
    wanted = np.full(len(actions), -1, np.int32)
    wanted[known] = actions[known]
    afterstates = np.empty_like(observations)
    cdef const uint8_t[:, ::1] rows = observations
    cdef const int32_t[::1] chosen = wanted
    cdef uint8_t[:, ::1] results = afterstates
    cdef Py_ssize_t i
    cdef Py_ssize_t illegal = -1
    cdef Py_ssize_t wrong = -1
    cdef Game g
    with nogil:
        for i in range(rows.shape[0]):
            if not (0 <= chosen[i] < NUM_ACTIONS
                    and legal_actions_of(&rows[i, 0]) >> chosen[i] & 1):
                illegal = i
                break
            if not is_position(&rows[i, 0]):
                wrong = i
                break
            game_from_row(&g, &rows[i, 0])
            play(&g, chosen[i])
            write_later_row(&g, 1 - g.to_move, &rows[i, 0], &results[i, 0])
    if wrong >= 0:
        raise ValueError(f"row {wrong} of observations shows no position of the game")
    if illegal >= 0:
        action = int(actions[illegal])
        name = str(ACTIONS[action]) if 0 <= action < NUM_ACTIONS else f"action {action}"
        raise ValueError(f"{name} is not legal in observation {illegal}")
    return afterstates


cdef int write_afterstates(const uint8_t* row, uint8_t* out) noexcept nogil:
    """Writes the afterstate of every legal action; returns how many there are."""
    cdef uint64_t legal = legal_actions_of(row)
    cdef int viewer = viewer_of(row)
    cdef int number = 0
    cdef Game before, after
    game_from_row(&before, row)
    while legal:
        after = before
        play(&after, trailing_zeros(legal))
        legal &= legal - 1
        write_later_row(&after, viewer, row, out + number * OBSERVATION_SIZE)
        number += 1
    return number
