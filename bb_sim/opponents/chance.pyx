"""Chance in games against named opponents: what else could have been drawn and played.

A game of a player against a named opponent is replayed from its seed and the player's actions. Its
chance events are told in an order in which nothing is told before somebody could act on it:

- the opponent's turn: the card that it drew after its turn before, and the action that it plays.
  Each card that was left in its deck was equally likely, and the probabilities of its actions are
  known;
- the player's draw, told when it moves again. Each card that was left in its deck was equally
  likely, because the opponent's turn depends on none of them.

The deal comes before them. Events with a single outcome are left out.
"""

from collections import namedtuple

import numpy as np

from libc.stdint cimport int8_t, int32_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from bb_sim.opponents.choice cimport score_actions, select_opponent_action
from bb_sim.opponents.models cimport probabilities_of_scores
from bb_sim.opponents.turn_score cimport RANDOM
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    NUM_ACTIONS, NUM_SPECIES, Game, action_parts, deal, is_decided, legal_mask, margin, play,
)
from bb_sim.rules.observation cimport OBSERVATION_SIZE, write_observation

from bb_sim.rules.actions import OPPONENTS, check_scoring
from bb_sim.rules.arguments import checked_array

cdef enum:
    # A seat draws 8 cards. Before its turns there are 8, 7, ... 1 cards that a draw can have been,
    # and each leaves at most 15 actions. The turns without a draw before them are 4.
    MOST_OUTCOMES = 15 * (36 + 4) + 36
    MOST_EVENTS = 12 + 8
    NOTHING = -1

ChanceEvents = namedtuple(
    "ChanceEvents", "dealt margins games starts happened rows hands probabilities"
)


cdef struct Outcomes:
    uint8_t* rows               # the next free place of each array
    uint16_t* hands
    double* probabilities
    int32_t number              # of outcomes so far, of all games
    int32_t happened            # the place of what happened


cdef void add_outcome(Outcomes* found, const Game* g, int seat, unsigned int hand,
                      double probability) noexcept nogil:
    write_observation(g, seat, found.rows)
    found.hands[0] = hand
    found.probabilities[0] = probability
    found.rows += OBSERVATION_SIZE
    found.hands += 1
    found.probabilities += 1
    found.number += 1


cdef void hold_instead(Game* g, int seat, int drawn, int other) noexcept nogil:
    """Gives a seat another card than the one it drew; that one takes the other's place."""
    cdef int i
    if drawn == other:
        return
    g.hand[seat] ^= 1 << drawn | 1 << other
    g.deck_set[seat] ^= 1 << drawn | 1 << other
    for i in range(g.deck_left[seat]):
        if g.deck[seat][i] == other:
            g.deck[seat][i] = drawn


cdef void write_probabilities(const Game* g, int opponent, double* probabilities) noexcept nogil:
    cdef double[NUM_ACTIONS] scores
    cdef uint64_t actions = legal_mask(g)
    memset(probabilities, 0, NUM_ACTIONS * sizeof(double))
    if actions & (actions - 1) == 0:
        probabilities[trailing_zeros(actions)] = 1.0
        return
    if opponent != RANDOM:
        score_actions(g, actions, opponent, scores)
    probabilities_of_scores(opponent, actions, scores, probabilities)


cdef void add_turns(Outcomes* found, const Game* before, int opponent, int drawn, int action,
                    int seat, int pending) noexcept nogil:
    """The opponent's turn: all that it can have drawn, with all that it then can have played.

    Args:
      drawn: the card that it drew after its turn before, or NOTHING.
      action: what it played.
      seat: the player's seat.
      pending: the card that the player drew since its turn, which is not told yet, or NOTHING.
    """
    cdef int other = 1 - seat
    cdef unsigned int cards = before.deck_set[other] | 1 << drawn if drawn != NOTHING else 0
    cdef double share = 1.0 / popcount(cards) if cards else 1.0
    cdef double[NUM_ACTIONS] probabilities
    cdef bint is_first = True
    cdef Game held, after
    cdef int card, played
    while cards or is_first:
        is_first = False
        held = before[0]
        card = NOTHING
        if cards:
            card = trailing_zeros(cards)
            cards &= cards - 1
            hold_instead(&held, other, drawn, card)
        write_probabilities(&held, opponent, probabilities)
        for played in range(NUM_ACTIONS):
            if probabilities[played] == 0.0 and not (card == drawn and played == action):
                continue
            after = held
            play(&after, played)
            if pending != NOTHING:
                after.hand[seat] ^= 1 << pending
                after.deck_set[seat] ^= 1 << pending
            if card == drawn and played == action:
                found.happened = found.number
            add_outcome(found, &after, seat, held.hand[other] & ~(1 << action_parts(played).played),
                        share * probabilities[played])


cdef void add_draws(Outcomes* found, const Game* g, int seat, int drawn,
                    unsigned int hand) noexcept nogil:
    """The player's draw, once the opponent has played."""
    cdef unsigned int cards = g.deck_set[seat] | 1 << drawn
    cdef double share = 1.0 / popcount(cards)
    cdef Game held
    cdef int card
    while cards:
        card = trailing_zeros(cards)
        cards &= cards - 1
        held = g[0]
        hold_instead(&held, seat, drawn, card)
        if card == drawn:
            found.happened = found.number
        add_outcome(found, &held, seat, hand, share)


cdef int next_card(const Game* g) noexcept nogil:
    """The card that the mover will draw after its turn, or NOTHING."""
    cdef int left = g.deck_left[g.to_move]
    if left == 0:
        return NOTHING
    return g.deck[g.to_move][left - 1]


cdef void take_back_single(Outcomes* found, int32_t start) noexcept nogil:
    """Removes the outcomes since `start` if there is one alone."""
    if found.number - start == 1:
        found.rows -= OBSERVATION_SIZE
        found.hands -= 1
        found.probabilities -= 1
        found.number = start


def chance_events(seeds, seats, opponents, actions, scoring="points"):
    """Replays games of a player against named opponents, and tells their chance events.

    `G` denotes games, `N` events, `E` outcomes.

    Args:
      seeds: the seeds of the games, uint64 [G].
      seats: the player's seat, uint8 [G], 0 or 1. Seat 0 moves first.
      opponents: the numbers of the opponents in OPPONENTS, uint8 [G].
      actions: what the player played, in order, uint8 [G, 12]; 255 after its last turn.
      scoring: "points" or "animals".

    Returns:
      dealt: uint16 [G, 2], the hands dealt to the player and to the opponent, as sets.
      margins: int8 [G], the final margins from the player's side.
      games: int32 [N], the game of each event; events are in the order of the games and of time.
      starts: int32 [N + 1]; the outcomes of event n are `starts[n]` to `starts[n + 1] - 1`.
      happened: int32 [N], the outcome that came about.
      rows: uint8 [E, 19], the observation of the player after each outcome. In its opponent's turn
        the card that the player has drawn is still in its deck.
      hands: uint16 [E], the opponent's hand as a set. The card that it has drawn after its turn is
        still in its deck.
      probabilities: float64 [E]; they sum to 1 in each event. For `noisy` they are accurate to
        1e-4. An outcome that came about may have the probability 0 there.

    Raises:
      ValueError: an array has another dtype or shape or holds an impossible value, or the actions
        are not those of a game of this seed.
    """
    cdef int rule = check_scoring(scoring)
    seeds = np.asarray(seeds)
    if seeds.dtype != np.uint64 or seeds.ndim != 1:
        raise ValueError("seeds must be a uint64 array of one dimension")
    cdef int number = len(seeds)
    cdef const uint64_t[::1] each_seed = checked_array("seeds", seeds, np.uint64, (number,))
    cdef const uint8_t[::1] each_seat = checked_array("seats", seats, np.uint8, (number,))
    cdef const uint8_t[::1] each_opponent = checked_array(
        "opponents", opponents, np.uint8, (number,)
    )
    cdef const uint8_t[:, ::1] played = checked_array(
        "actions", actions, np.uint8, (number, NUM_SPECIES)
    )
    if (np.asarray(seats) > 1).any() or (np.asarray(opponents) >= len(OPPONENTS)).any():
        raise ValueError(f"seats are 0 or 1, and opponents 0 to {len(OPPONENTS) - 1}")
    dealt = np.empty((number, 2), np.uint16)
    margins = np.empty(number, np.int8)
    games = np.empty(number * MOST_EVENTS, np.int32)
    starts = np.zeros(number * MOST_EVENTS + 1, np.int32)
    happened = np.empty(number * MOST_EVENTS, np.int32)
    rows = np.empty((number * MOST_OUTCOMES + 1, OBSERVATION_SIZE), np.uint8)
    hands = np.empty(number * MOST_OUTCOMES + 1, np.uint16)
    probabilities = np.empty(number * MOST_OUTCOMES + 1, np.float64)
    cdef uint16_t[:, ::1] of_deal = dealt
    cdef int8_t[::1] result = margins
    cdef int32_t[::1] event_games = games
    cdef int32_t[::1] event_starts = starts
    cdef int32_t[::1] event_happened = happened
    cdef uint8_t[:, ::1] outcome_rows = rows
    cdef uint16_t[::1] outcome_hands = hands
    cdef double[::1] outcome_probabilities = probabilities
    cdef Outcomes found
    cdef Game g, before
    cdef int[2] drawn
    cdef int i, seat, turn, action, opponent, pending
    cdef int events = 0
    cdef int wrong = -1
    cdef int32_t start
    cdef unsigned int hand
    found.rows = &outcome_rows[0, 0]
    found.hands = &outcome_hands[0]
    found.probabilities = &outcome_probabilities[0]
    found.number = found.happened = 0
    with nogil:
        for i in range(number):
            seat, opponent = each_seat[i], each_opponent[i]
            deal(&g, each_seed[i], 0, 2)
            of_deal[i, 0], of_deal[i, 1] = g.hand[seat], g.hand[1 - seat]
            drawn[0] = drawn[1] = NOTHING
            turn = 0
            while not is_decided(&g):
                if g.to_move == seat:
                    action = played[i, turn] if turn < NUM_SPECIES else 255
                    if action >= NUM_ACTIONS or not legal_mask(&g) >> action & 1:
                        wrong = i
                        break
                    turn += 1
                    drawn[seat] = next_card(&g)
                    play(&g, action)
                    continue
                before = g
                action = select_opponent_action(&g, opponent)
                hand = g.hand[1 - seat] & ~(1 << action_parts(action).played)
                pending = drawn[seat]
                start = found.number
                add_turns(&found, &before, opponent, drawn[1 - seat], action, seat, pending)
                take_back_single(&found, start)
                if found.number > start:
                    event_games[events], event_happened[events] = i, found.happened
                    events += 1
                    event_starts[events] = found.number
                drawn[1 - seat] = next_card(&g)
                play(&g, action)
                if pending == NOTHING or is_decided(&g):
                    continue
                start = found.number
                add_draws(&found, &g, seat, pending, hand)
                take_back_single(&found, start)
                if found.number > start:
                    event_games[events], event_happened[events] = i, found.happened
                    events += 1
                    event_starts[events] = found.number
            if wrong >= 0 or turn < NUM_SPECIES and played[i, turn] != 255:
                wrong = i
                break
            result[i] = <int8_t> margin(&g, seat, rule)
    if wrong >= 0:
        raise ValueError(f"the actions of game {wrong} are not those of a game of its seed")
    outcomes = found.number
    return ChanceEvents(
        dealt, margins, games[:events], starts[:events + 1], happened[:events],
        rows[:outcomes], hands[:outcomes], probabilities[:outcomes],
    )
