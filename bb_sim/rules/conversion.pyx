"""Conversion between a C game and a Python State, and the rules on single States."""

import numpy as np

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from bb_sim.rules.bits cimport popcount
from bb_sim.rules.engine cimport (
    ALL_SPECIES, EMPTY, MAX_PLAYERS, MAX_STEPS, NUM_ACTIONS, NUM_SPECIES, OWNER_SHIFT,
    SPECIES_BITS, WENT_TO_BAR, Game, TurnStep, deal, legal_mask, open_steps, play,
)
from bb_sim.rules.observation cimport OBSERVATION_SIZE, write_observation

from bb_sim.rules.actions import ACTIONS, SPECIES
from bb_sim.rules.arguments import checked_int
from bb_sim.rules.state import Card, State, check_player, check_state, unchecked_state

cdef tuple CARDS = tuple(
    tuple(Card(owner, species) for species in SPECIES) for owner in range(MAX_PLAYERS)
)
cdef dict SPECIES_INDEX = {species: index for index, species in enumerate(SPECIES)}


# --- C game to State --------------------------------------------------------------------------


cdef object card_object(int card):
    return CARDS[card >> OWNER_SHIFT][card & SPECIES_BITS]


cdef object state_from_game(const Game* g):
    cdef int player, i
    hands = tuple([
        tuple([CARDS[player][i] for i in range(NUM_SPECIES) if g.hand[player] >> i & 1])
        for player in range(g.num_players)
    ])
    decks = tuple([
        tuple([CARDS[player][g.deck[player][i]] for i in range(g.deck_left[player] - 1, -1, -1)])
        for player in range(g.num_players)
    ])
    return unchecked_state(
        hands, decks, cards_in_queue(g.queue, g.queue_len), cards_gone(g, 0, True),
        cards_gone(g, 0, False), g.to_move, g.turn,
    )


cdef tuple cards_in_queue(const uint8_t* queue, int length):
    cdef int i
    return tuple([card_object(queue[i]) for i in range(length)])


cdef tuple cards_gone(const Game* g, int first, bint to_bar):
    """The cards that left the queue from the number `first` on, for the bar or for THAT'S IT."""
    cdef int i
    return tuple([card_object(g.departed[i] & ~WENT_TO_BAR) for i in range(first, g.num_departed)
                  if bool(g.departed[i] & WENT_TO_BAR) == to_bar])


# --- State to C game --------------------------------------------------------------------------


cdef int card_code(object card) except -1:
    return <int>card.owner << OWNER_SHIFT | <int>SPECIES_INDEX[card.species]


cdef int fill_game(Game* g, object state) except -1:
    """Writes the known cards of a State; hidden cards only count as cards left to play."""
    cdef uint64_t rng = g.rng
    cdef int player, code, i
    check_state(state)
    memset(g, 0, sizeof(Game))
    memset(g.queue, EMPTY, sizeof(g.queue))
    g.rng = rng
    g.num_players = state.num_players
    g.to_move = state.to_move
    g.turn = state.turn
    g.cards_left = state.cards_left
    for i, card in enumerate(state.queue):
        g.queue[i] = card_code(card)
    g.queue_len = len(state.queue)
    for player in range(g.num_players):
        for card in state.hands[player]:
            if not card.is_hidden:
                g.hand[player] |= 1 << <int>SPECIES_INDEX[card.species]
        for card in reversed(state.decks[player]):
            if not card.is_hidden:
                code = SPECIES_INDEX[card.species]
                g.deck[player][g.deck_left[player]] = code
                g.deck_left[player] += 1
                g.deck_set[player] |= 1 << code
    for destination, cards in ((0, state.thats_it), (WENT_TO_BAR, state.bar)):
        for card in cards:
            code = card_code(card)
            if destination == WENT_TO_BAR:
                g.bar[code >> OWNER_SHIFT] |= 1 << (code & SPECIES_BITS)
            else:
                g.thats_it[code >> OWNER_SHIFT] |= 1 << (code & SPECIES_BITS)
            g.departed[g.num_departed] = code | <int>destination
            g.num_departed += 1
    return 0


cdef int game_from_state(Game* g, object state) except -1:
    if isinstance(state, State):
        for place, all_cards in (("hand", state.hands), ("deck", state.decks)):
            for player, cards in enumerate(all_cards):
                if any([card.is_hidden for card in cards]):
                    raise ValueError(f"the {place} of player {player} is hidden in this state")
    return fill_game(g, state)


cdef int infer_hidden_cards(Game* g, object state) except -1:
    """Adds each player's hidden cards to the set of the deck: all species that are not in sight."""
    cdef unsigned int missing
    cdef int player, i
    for player in range(g.num_players):
        hidden = sum([card.is_hidden for card in (*state.hands[player], *state.decks[player])])
        if not hidden:
            continue
        missing = ALL_SPECIES & ~(g.hand[player] | g.deck_set[player] | g.bar[player]
                                  | g.thats_it[player])
        for i in range(g.queue_len):
            if g.queue[i] >> OWNER_SHIFT == player:
                missing &= ~(1 << (g.queue[i] & SPECIES_BITS))
        if popcount(missing) != hidden:
            raise ValueError(
                f"player {player} has {hidden} hidden cards, and {popcount(missing)} species "
                "are not in sight, so the hidden cards are unknown"
            )
        g.deck_set[player] |= missing
    return 0


# --- The rules on single States -----------------------------------------------------------------


def deal_state(seed, first_player, num_players):
    """The State that a seed deals. Arguments and errors are those of `new_game`."""
    cdef int players = checked_int("num_players", num_players, 2, MAX_PLAYERS)
    cdef uint64_t stream = checked_int("seed", seed, 0, 2**64 - 1)
    cdef int first = checked_int("first_player", first_player, 0, players - 1)
    cdef Game g
    deal(&g, stream, first, players)
    return state_from_game(&g)


def legal_action_ids(state) -> list:
    """The ids of the legal actions, ascending. ValueError if the mover's hand is hidden."""
    cdef Game g
    cdef int action
    cdef uint64_t legal
    g.rng = 0
    fill_game(&g, state)
    if any([card.is_hidden for card in state.hands[state.to_move]]):
        raise ValueError(f"the hand of player {state.to_move}, who is to move, is hidden")
    legal = legal_mask(&g)
    return [action for action in range(NUM_ACTIONS) if legal >> action & 1]


def state_after(state, int action):
    """The State after a whole turn. ValueError if the action is not legal."""
    cdef Game g
    g.rng = 0
    game_from_state(&g, state)
    check_legal(&g, action)
    play(&g, action)
    return state_from_game(&g)


def open_steps_of(state, int action) -> list:
    """(card or None for the gate, queue, to the bar, to THAT'S IT) for each step of a turn.

    ValueError if the action is not legal.
    """
    cdef Game g
    cdef TurnStep[MAX_STEPS] steps
    cdef int count, i, gone
    g.rng = 0
    game_from_state(&g, state)
    check_legal(&g, action)
    gone = g.num_departed
    count = open_steps(&g, action, steps)
    found = []
    for i in range(count):
        g.num_departed = steps[i].num_departed
        found.append((
            None if steps[i].card == EMPTY else card_object(steps[i].card),
            cards_in_queue(steps[i].queue, steps[i].queue_len),
            cards_gone(&g, gone, True),
            cards_gone(&g, gone, False),
        ))
        gone = steps[i].num_departed
    return found


def observation_of_state(state, viewer):
    """The observation, uint8 [OBSERVATION_SIZE], of a two-player State for a viewer, 0 or 1."""
    cdef Game g
    g.rng = 0
    fill_game(&g, state)
    if g.num_players != 2:
        raise ValueError(f"observations are of two-player games, not of {g.num_players}")
    cdef int seat = check_player(viewer, 2)
    if any([card.is_hidden for card in state.hands[seat]]):
        raise ValueError(f"the hand of player {seat}, who observes, is hidden")
    infer_hidden_cards(&g, state)
    row = np.empty(OBSERVATION_SIZE, dtype=np.uint8)
    cdef uint8_t[::1] view = row
    write_observation(&g, seat, &view[0])
    return row


cdef int check_legal(const Game* g, int action, str where="") except -1:
    cdef uint64_t legal = legal_mask(g)
    if 0 <= action < NUM_ACTIONS and legal >> action & 1:
        return 0
    name = f"action {action}"
    if 0 <= action < NUM_ACTIONS:
        name += f" ({ACTIONS[action]})"
    if not legal:
        raise ValueError(f"{where}{name} cannot be played: the game is over")
    choice = "; ".join([str(ACTIONS[a]) for a in range(NUM_ACTIONS) if legal >> a & 1])
    raise ValueError(
        f"{where}{name} is not legal for player {g.to_move} at turn {g.turn}; legal: {choice}"
    )
