"""Chance events of replayed games, against the same found with States, card order by card order."""

from collections import defaultdict
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from bb_sim import (
    OPPONENTS,
    SPECIES,
    GameBatch,
    action_id,
    c_state_to_python,
    is_decided,
    legal_actions,
    observe,
    scores,
    select_opponent_action_from,
    step,
)
from bb_sim.opponents.chance import chance_events
from bb_sim.opponents.models import opponent_action_probabilities

NONE = 255
# Decks of so many cards and one more are tried in every order.
FEW = 3


def mask_of(cards):
    return sum(1 << SPECIES.index(card.species) for card in cards)


def play_one(seed, seat, opponent):
    """A game of a player that plays its first legal action: the states and its actions."""
    batch = GameBatch(1)
    batch.reset([seed])
    states, actions, own = [c_state_to_python(batch, 0)], [], []
    while not is_decided(states[-1]):
        state = states[-1]
        if state.to_move == seat:
            action = legal_actions(state)[0]
            own.append(action_id(action))
        else:
            action = select_opponent_action_from(batch, 0, opponent)
        batch.step([action_id(action)])
        actions.append(action)
        states.append(c_state_to_python(batch, 0))
    return states, actions, own + [NONE] * (12 - len(own))


def give_back(state, player, card):
    """A card that a player has just drawn lies on its deck again."""
    hands, decks = list(state.hands), list(state.decks)
    hands[player] = tuple(one for one in hands[player] if one != card)
    decks[player] = (card, *decks[player])
    return replace(state, hands=tuple(hands), decks=tuple(decks))


def orders_of(state, player, drawn):
    """Every order of a player's deck and the card it has drawn last, with equal probability."""
    if drawn is None:
        return [state]
    cards = (drawn, *state.decks[player])
    kept = tuple(card for card in state.hands[player] if card != drawn)
    found = []
    for order in permutations(cards):
        hands, decks = list(state.hands), list(state.decks)
        hands[player], decks[player] = (*kept, order[0]), order[1:]
        found.append(replace(state, hands=tuple(hands), decks=tuple(decks)))
    return found


def turn_by_orders(state, opponent, drawn, seat, pending):
    """{(row, hand): probability} after the opponent's turn, from every order of its deck."""
    found: defaultdict[Any, float] = defaultdict(float)
    worlds = orders_of(state, 1 - seat, drawn)
    for world in worlds:
        for action, probability in opponent_action_probabilities(world, opponent).items():
            after = step(world, action)
            if pending is not None:
                after = give_back(after, seat, pending)
            held = [card for card in world.hands[1 - seat] if card.species != action.species]
            row = observe(after, seat).tobytes()
            found[row, mask_of(held)] += probability / len(worlds)
    return found


def draw_by_orders(state, seat, drawn):
    """{row: probability} of the player's draw, from every order of its deck."""
    found: defaultdict[Any, float] = defaultdict(float)
    worlds = orders_of(state, seat, drawn)
    for world in worlds:
        found[observe(world, seat).tobytes()] += 1 / len(worlds)
    return found


def one_game(seed, seat, opponent, actions):
    return chance_events(
        np.array([seed], np.uint64),
        np.array([seat], np.uint8),
        np.array([OPPONENTS.index(opponent)], np.uint8),
        np.array([actions], np.uint8),
    )


def told(events, outcome):
    return events.rows[outcome].tobytes(), int(events.hands[outcome])


def expected_events(seed, seat, opponent):
    """What came about at each event, and the distribution where there are few orders; actions."""
    states, actions, own = play_one(seed, seat, opponent)
    drawn = [None, None]
    found = []
    for state, after, action in zip(states, states[1:], actions, strict=False):
        mover, pending = state.to_move, drawn[seat]
        if mover != seat:
            held = mask_of(card for card in state.hands[mover] if card.species != action.species)
            untold = after if pending is None else give_back(after, seat, pending)
            by_orders = None
            if len(state.decks[mover]) <= FEW:
                by_orders = turn_by_orders(state, opponent, drawn[mover], seat, pending)
            found.append(((observe(untold, seat).tobytes(), held), by_orders))
            if pending is not None and not is_decided(after):
                by_orders = None
                if len(state.decks[seat]) <= FEW:
                    orders = draw_by_orders(after, seat, pending)
                    by_orders = {(row, held): p for row, p in orders.items()}
                found.append(((observe(after, seat).tobytes(), held), by_orders))
        drawn[mover] = state.decks[mover][0] if state.decks[mover] else None
    return found, states[0], own


@pytest.mark.parametrize("opponent", ["random", "heuristic", "noisy", "outcome_heuristic"])
@pytest.mark.parametrize("seat", [0, 1])
def test_late_events_are_those_of_every_order_of_the_decks(opponent, seat):
    checked = 0
    for seed in range(3):
        expected, start, own = expected_events(seed, seat, opponent)
        events = one_game(seed, seat, opponent, own)
        assert events.dealt.tolist() == [[mask_of(start.hands[p]) for p in (seat, 1 - seat)]]
        number = 0
        for happened, by_orders in expected:
            possible = by_orders and {key: p for key, p in by_orders.items() if p > 0}
            outcomes = slice(*events.starts[number : number + 2])
            place = events.happened[number] if number < len(events.games) else None
            if place is None or told(events, place) != happened:
                # An event with a single outcome is left out.
                assert possible is None or len(possible) == 1
                continue
            number += 1
            if possible is None:
                continue
            found: defaultdict[Any, float] = defaultdict(float)
            for outcome in range(outcomes.start, outcomes.stop):
                found[told(events, outcome)] += events.probabilities[outcome]
            assert {key: p for key, p in found.items() if p > 0} == pytest.approx(possible)
            checked += 1
        assert number == len(events.games)
    assert checked >= 9


def test_probabilities_sum_to_one_and_margins_are_those_of_the_games():
    for seat, opponent in ((0, "noisy"), (1, "online")):
        states, _, own = play_one(7, seat, opponent)
        events = one_game(7, seat, opponent, own)
        sums = np.add.reduceat(events.probabilities, events.starts[:-1])
        np.testing.assert_allclose(sums, 1, rtol=1e-12)
        margin = scores(states[-1])[seat] - scores(states[-1])[1 - seat]
        assert events.margins.tolist() == [margin]
        assert (np.diff(events.starts) > 1).all()


def test_actions_of_another_game_are_refused():
    _, _, own = play_one(1, 0, "heuristic")
    with pytest.raises(ValueError, match="actions of game 0 are not those"):
        one_game(2, 0, "heuristic", [own[0], *own[2:], NONE])
    with pytest.raises(ValueError, match="seats are 0 or 1"):
        one_game(1, 2, "heuristic", own)
