"""Exact play against a belief about the opponent, once next to nothing is hidden.

Once the decks are empty, the unseen cards are the opponent's hand. One turn before, on turn 14, one
of five cards is in its deck, and the posterior says which. The rest of the game, at most ten turns,
is searched to its end; see `bb_sim.search.endgame_search`.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from bb_sim.opponents.hands cimport hand_at, is_possible
from bb_sim.opponents.posterior cimport NUM_HANDS, NUM_MODELS
from bb_sim.rules.afterstates cimport game_from_row, is_position, legal_actions_of, viewer_of
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    ALL_SPECIES, HAND_SIZE, NUM_ACTIONS, NUM_PLIES, NUM_SPECIES, Game, legal_mask,
)
from bb_sim.rules.observation cimport (
    DECK_BYTE, HAND_BYTE, TURN_BYTE, UNSEEN_BYTE, set_at,
)
from bb_sim.search.endgame_search cimport (
    Belief, HandBelief, Prospect, Replies, find_replies, prospect_before_last_draw, prospect_of,
    take_belief, value_of,
)
from bb_sim.search.objective cimport Objective, Worth, objective_of, worth_of

from bb_sim.rules.actions import OPPONENTS
from bb_sim.rules.arguments import checked_array
from bb_sim.rules.observation import checked_rows

cdef enum:
    PARTS = 4                   # numbers in a Prospect

MODELS = (*OPPONENTS, "best_reply")
"""The models of the opponent. A belief has a weight for each, in this order."""


# --- Rows ---------------------------------------------------------------------------------------


cdef bint is_endgame_row(const uint8_t* row) noexcept nogil:
    cdef uint64_t legal = legal_actions_of(row)
    cdef int turn = row[TURN_BYTE]
    cdef int viewer = viewer_of(row)
    cdef unsigned int hand = set_at(row, HAND_BYTE)
    cdef unsigned int deck = set_at(row, DECK_BYTE)
    cdef unsigned int unseen = set_at(row, UNSEEN_BYTE)
    cdef int own_cards = NUM_SPECIES - (turn + 1 - viewer) // 2
    cdef int other_cards = NUM_SPECIES - (turn + viewer) // 2
    cdef int in_hand = min(own_cards, HAND_SIZE) - (legal == 0 and deck != 0)
    cdef Game g
    # On its turn the viewer may not know which of five cards is in the opponent's deck.
    if turn > NUM_PLIES or other_cards > HAND_SIZE + (legal != 0) or (hand | deck | unseen) > ALL_SPECIES:
        return False
    if (hand & deck or popcount(unseen) != other_cards or popcount(hand) != in_hand
            or popcount(hand | deck) != own_cards or popcount(deck) > 1
            or not is_position(row)):
        return False
    game_from_row(&g, row)
    return legal == 0 or legal == legal_mask(&g)


cdef void load(const uint8_t* row, const Worth* worth, Game* g, Objective* o) noexcept nogil:
    cdef int viewer = viewer_of(row)
    game_from_row(g, row)
    # The viewer draws its last card after its turn. In an afterstate it has not drawn it yet.
    if g.deck_set[viewer] and g.to_move == viewer:
        g.deck[viewer][0] = trailing_zeros(g.deck_set[viewer])
        g.deck_left[viewer] = 1
    else:
        g.hand[viewer] |= g.deck_set[viewer]
        g.deck_set[viewer] = 0
    o[0] = objective_of(row, viewer, worth)


cdef bint read_belief(const uint8_t* row, const float* posterior, HandBelief* hands,
                      Belief* belief) noexcept nogil:
    """Reads a posterior, float [H, M]: by hands if there are several, else as `belief`.

    False if no hand that fits the row has a weight.
    """
    cdef unsigned int unseen = set_at(row, UNSEEN_BYTE) & ALL_SPECIES
    cdef double[NUM_MODELS] shares
    cdef double total = 0.0
    cdef int slot, model
    hands.number = 0
    memset(shares, 0, sizeof(shares))
    for slot in range(NUM_HANDS):
        if not is_possible(slot, unseen):
            continue
        hands.hands[hands.number] = hand_at(slot, unseen)
        for model in range(NUM_MODELS):
            hands.weights[hands.number][model] = posterior[slot * NUM_MODELS + model]
            shares[model] += posterior[slot * NUM_MODELS + model]
            total += posterior[slot * NUM_MODELS + model]
        hands.number += 1
    if total <= 0:
        return False
    for slot in range(hands.number):
        for model in range(NUM_MODELS):
            hands.weights[slot][model] /= total
    take_belief(shares, belief)
    return True


cdef double position_value(const uint8_t* row, const double* belief,
                           const Worth* worth) noexcept nogil:
    cdef Objective o
    cdef Belief b
    cdef Game g
    load(row, worth, &g, &o)
    take_belief(belief, &b)
    return value_of(&g, &o, &b)


cdef void write_prospect(Prospect prospect, int width, double* out) noexcept nogil:
    """Writes the value alone (`width` 1), or all parts (`width` PARTS)."""
    out[0] = prospect.value
    if width == PARTS:
        out[1] = prospect.win
        out[2] = prospect.draw
        out[3] = prospect.margin


cdef bint write_action_prospects(const uint8_t* row, const float* posterior, const Worth* worth,
                                 int width, double* out) noexcept nogil:
    """Writes NUM_ACTIONS prospects, minus infinity for actions that are illegal.

    False if no hand in the posterior fits the row.
    """
    cdef bint in_parts = width == PARTS
    cdef Objective o
    cdef Belief b
    cdef HandBelief hands
    cdef Game g
    cdef Replies replies
    cdef Prospect prospect
    cdef int i
    for i in range(NUM_ACTIONS * width):
        out[i] = -INFINITY
    if not read_belief(row, posterior, &hands, &b):
        return False
    load(row, worth, &g, &o)
    find_replies(&g, legal_actions_of(row), &replies)
    for i in range(replies.number):
        if hands.number > 1:
            prospect = prospect_before_last_draw(&replies.games[i], &o, &hands, in_parts)
        else:
            prospect = prospect_of(&replies.games[i], &o, &b, in_parts)
        while replies.actions[i]:
            write_prospect(prospect, width, out + width * trailing_zeros(replies.actions[i]))
            replies.actions[i] &= replies.actions[i] - 1
    return True


# --- Python functions ---------------------------------------------------------------------------


def _checked(rows, posterior):
    """Checked rows and posteriors."""
    rows = checked_rows("rows", rows)
    posterior = checked_array(
        "posterior", posterior, np.float32, (len(rows), NUM_HANDS, NUM_MODELS)
    )
    if not np.isfinite(posterior).all() or (posterior < 0).any():
        raise ValueError("a posterior holds weights from 0 up")
    hidden = np.flatnonzero(~are_endgames(rows))
    if hidden.size:
        raise ValueError(f"row {hidden[0]} is no endgame: too many cards are hidden")
    return rows, posterior


def are_endgames(rows):
    """Whether rows can be searched to the end of the game: uint8 [B, 19] -> bool [B].

    The first player knows all cards from turn 16 on, and all but one of them on turn 14, where an
    endgame begins. The second player knows them from turn 15 on, when only the last card of its own
    deck is left to draw. Afterstates count once all cards are known.

    Raises:
      ValueError: `rows` has another dtype or shape.
    """
    rows = checked_rows("rows", rows)
    cdef const uint8_t[:, ::1] given = rows
    found = np.zeros(len(rows), np.uint8)
    cdef uint8_t[::1] result = found
    cdef Py_ssize_t i
    with nogil:
        for i in range(given.shape[0]):
            result[i] = is_endgame_row(&given[i, 0])
    return found.view(bool)


def endgame_values(rows, posterior, margin_weight, scoring="points", draw_reward=0.0):
    """The value of each action against a believed opponent, by a search to the end of the game.

    `B` denotes the number of rows, `H` = 495 the slots of hands, `M` the number of MODELS.

    Args:
      rows: observations that `are_endgames`, uint8 [B, 19].
      posterior: float32 [B, H, M], the weight of each hand and model as in
        `bb_sim.opponents.posterior`; the best reply takes the place of the network. The weights
        need not sum to 1.
      margin_weight: the weight of the margin by the scoring, at least 0.
      scoring: `points` or `animals`.
      draw_reward: the outcome of a draw, -1 to 1.

    Returns:
      outcome + margin_weight * margin of the whole game for the viewer, float64 [B, 33]; minus
      infinity if an action is not legal.

    Raises:
      ValueError: an argument does not fit, a row is not an endgame, or no hand in a posterior fits
        its row.
    """
    worth = margin_weight, scoring, draw_reward
    return _action_prospects(rows, posterior, worth, 1)[:, :, 0]


def action_prospects(rows, posterior, margin_weight, scoring="points", draw_reward=0.0):
    """What each action leads to: `endgame_values` with its parts.

    Arguments and errors are those of `endgame_values`.

    Returns:
      float64 [B, 33, 4]: value, probability of a win, of a draw, and expected margin; minus
      infinity if an action is not legal.
    """
    worth = margin_weight, scoring, draw_reward
    return _action_prospects(rows, posterior, worth, PARTS)


def _action_prospects(rows, posterior, worth, width):
    """float64 [B, 33, width], with the leading parts of each action's prospect."""
    margin_weight, scoring, draw_reward = worth
    cdef Worth checked = worth_of(scoring, margin_weight, draw_reward)
    rows, posterior = _checked(rows, posterior)
    cdef const uint8_t[:, ::1] given = rows
    cdef const float[:, :, ::1] beliefs = posterior
    prospects = np.empty((len(rows), NUM_ACTIONS, width))
    cdef double[:, :, ::1] result = prospects
    cdef int parts = width
    cdef Py_ssize_t unfit = -1
    cdef Py_ssize_t i
    with nogil:
        for i in range(given.shape[0]):
            if not write_action_prospects(
                &given[i, 0], &beliefs[i, 0, 0], &checked, parts, &result[i, 0, 0]
            ):
                unfit = i
                break
    if unfit >= 0:
        raise ValueError(f"no hand in the posterior of row {unfit} fits the row")
    return prospects


def position_prospects(rows, shares, margin_weight, scoring="points", draw_reward=0.0):
    """What best play leads to where no card is hidden.

    Args:
      rows: observations that `are_endgames` with at most four unseen cards, uint8 [B, 19].
      shares: the weights of the models, float64 [B, M], each sum above 0.
      margin_weight, scoring, draw_reward: as in `endgame_values`.

    Returns:
      float64 [B, 4]: value, probability of a win, of a draw, and expected margin.

    Raises:
      ValueError: an argument does not fit, or a card is hidden.
    """
    cdef Worth worth = worth_of(scoring, margin_weight, draw_reward)
    rows = checked_rows("rows", rows)
    shares = checked_array("shares", shares, np.float64, (len(rows), NUM_MODELS))
    if not (np.isfinite(shares).all() and (shares >= 0).all() and (shares.sum(axis=1) > 0).all()):
        raise ValueError("shares must be finite weights of at least 0, not all of them 0")
    if not are_endgames(rows).all():
        raise ValueError("a row is no endgame: too many cards are hidden")
    cdef const uint8_t[:, ::1] given = rows
    cdef const double[:, ::1] beliefs = shares
    prospects = np.empty((len(rows), PARTS))
    cdef double[:, ::1] result = prospects
    cdef Objective o
    cdef Belief b
    cdef Game g
    cdef Py_ssize_t hidden = -1
    cdef Py_ssize_t i
    with nogil:
        for i in range(given.shape[0]):
            if popcount(set_at(&given[i, 0], UNSEEN_BYTE)) > HAND_SIZE:
                hidden = i
                break
            load(&given[i, 0], &worth, &g, &o)
            take_belief(&beliefs[i, 0], &b)
            write_prospect(prospect_of(&g, &o, &b, True), PARTS, &result[i, 0])
    if hidden >= 0:
        raise ValueError(f"a card is hidden in row {hidden}")
    return prospects
