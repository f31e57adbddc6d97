"""Bad input to everything that takes a State, a Card, an Action or an observation."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bb_sim
from bb_sim import OPPONENTS, SPECIES, Action, Card, State
from bb_sim.opponents.choice import best_actions, opponent_scores
from tests.bb_sim.bad_input import BAD_PLAYERS, assert_refused, some_batch
from tests.reference import assert_shows, from_state, rules, to_action

NO_STATES: tuple[object, ...] = (None, 0, "state", (), {}, object(), [[1, 2], [3]])
NO_ACTIONS = (
    None,
    0,
    "lion",
    ("lion", ()),
    Action("dragon"),
    Action("hidden"),
    Action("kangaroo", (3,)),
    Action("kangaroo", (0,)),
    Action("parrot", (-1,)),
    Action("parrot", (2**70,)),
    Action("lion", (1,)),
    Action("chameleon", ("chameleon",)),
    Action("chameleon", ("kangaroo",)),
    Action("parrot", ([],)),  # type: ignore[arg-type]
    Action(None),  # type: ignore[arg-type]
)


# States


@pytest.mark.parametrize("no_state", NO_STATES)
def test_what_is_no_state(batch, no_state):
    for function in (
        bb_sim.legal_actions,
        bb_sim.is_terminal,
        bb_sim.is_decided,
        bb_sim.scores,
        bb_sim.ranking,
        bb_sim.winner,
        bb_sim.observe,
        bb_sim.render,
        lambda state: bb_sim.step(state, Action("lion")),
        lambda state: bb_sim.python_to_c_state(state, batch, 0),
        lambda state: opponent_scores(state, "heuristic"),
        lambda state: best_actions(state, "heuristic"),
    ):
        with pytest.raises(TypeError, match="State"):
            function(no_state)


@pytest.mark.parametrize("action", NO_ACTIONS)
def test_what_is_no_action(action):
    assert_refused(bb_sim.action_id, action)
    assert_refused(bb_sim.step, bb_sim.new_game(0), action)


def test_every_illegal_action_is_named():
    state = bb_sim.c_state_to_python(some_batch(), 0)
    legal = bb_sim.legal_actions(state)
    for action in bb_sim.ACTIONS:
        if action not in legal:
            with pytest.raises(ValueError) as refusal:
                bb_sim.step(state, action)
            assert str(action) in str(refusal.value)


@pytest.mark.parametrize("player", BAD_PLAYERS)
def test_viewers(player):
    state = bb_sim.new_game(0)
    assert_refused(state.seen_by, player)
    if player is not None:  # the player to move
        assert_refused(bb_sim.observe, state, player)


LIONS = (Card(0, "lion"),), (Card(1, "lion"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"hands": ()},
        {"hands": ((),)},
        {"hands": ((),) * 5},
        {"hands": None},
        {"hands": (None, None)},
        {"hands": (("lion",), ("lion",))},
        {"hands": ((0x0B,), (0x1B,))},
        {"hands": (LIONS[0] * 2, LIONS[1])},
        {"hands": (LIONS[1], LIONS[0])},
        {"hands": (tuple(Card(0, species) for species in SPECIES[:5]), ())},
        {"hands": LIONS, "decks": ((),)},
        {"hands": LIONS, "decks": ((), (), ())},
        {"hands": LIONS, "decks": (LIONS[0], ())},
        {"hands": LIONS, "decks": (tuple(Card(0, species) for species in SPECIES[:9]), ())},
        {"hands": LIONS, "queue": LIONS[0]},
        {"hands": LIONS, "queue": tuple(Card(0, species) for species in SPECIES[:5])},
        {"hands": LIONS, "queue": (Card(2, "seal"),)},
        {"hands": LIONS, "queue": (Card(0, "hidden"),)},
        {"hands": LIONS, "bar": (Card(3, "seal"),)},
        {"hands": LIONS, "bar": (Card(1, "seal"),), "thats_it": (Card(1, "seal"),)},
        {"hands": LIONS, "thats_it": (Card(1, "hidden"),)},
        {"hands": LIONS, "thats_it": 5},
        {"hands": (LIONS[0], ()), "to_move": 1},
        {"hands": LIONS, "to_move": 2},
        {"hands": LIONS, "to_move": -1},
        {"hands": LIONS, "to_move": None},
        {"hands": LIONS, "to_move": "0"},
        {"hands": LIONS, "turn": -1},
        {"hands": LIONS, "turn": 23},
        {"hands": LIONS, "turn": 256},
        {"hands": LIONS, "turn": 2**70},
        {"hands": LIONS, "turn": 0.5},
        {"hands": LIONS, "turn": None},
    ],
)
def test_impossible_states(fields):
    assert_refused(State, **fields)


@pytest.mark.parametrize(
    ("owner", "species"),
    [
        *((owner, "lion") for owner in (4, -1, 2**70, None, "0", 0.5)),
        *((0, species) for species in ("Lion", "", None, 11, ["lion"])),
    ],
)
def test_impossible_cards(owner, species):
    assert_refused(Card, owner, species)


def test_hidden_cards_go_nowhere(batch):
    state = bb_sim.new_game(3)
    for viewer in (0, 1):
        seen = state.seen_by(viewer)
        assert_refused(bb_sim.python_to_c_state, seen, batch, 0)
        assert_refused(bb_sim.step, seen, bb_sim.legal_actions(state)[0])
        assert_refused(bb_sim.observe, seen, 1 - viewer)
        assert_refused(opponent_scores, seen, "heuristic")
        assert_refused(best_actions, seen, "random")
    assert_refused(bb_sim.legal_actions, state.seen_by(1))
    assert_refused(lambda: Card(0, "hidden").points)
    assert_refused(lambda: Card(0, "hidden").strength)


def test_a_state_of_other_players_does_not_fit(batch):
    assert_refused(bb_sim.python_to_c_state, bb_sim.new_game(0, 0, 3), batch, 0)


def test_what_is_no_observation():
    row = bb_sim.observe(bb_sim.new_game(0))
    for bad in (None, 0, "row", row[:18], row.tolist(), row.astype(np.int64), row[None], [row]):
        assert_refused(bb_sim.decode_observation, bad)
    for place, value in ((0, 25), (3, 255), (5, 16), (7, 255), (9, 128), (18, 2)):
        bad = row.copy()
        bad[place] = value
        assert_refused(bb_sim.decode_observation, bad)


@settings(max_examples=200)
@given(st.binary(min_size=19, max_size=19))
def test_any_bytes_decode_or_are_refused(content):
    row = np.frombuffer(content, np.uint8)
    try:
        str(bb_sim.decode_observation(row))
    except ValueError as refusal:
        assert str(refusal)


# Positions that no game reaches, and yet the rules know what to do with


@st.composite
def strange_states(draw) -> State:
    """Any State that can be made: cards missing, uneven hands, decks of any length."""
    num_players = draw(st.integers(2, 4))
    random = Random(draw(st.integers(0, 2**32)))
    hands, decks, rest = [], [], []
    for owner in range(num_players):
        cards = [Card(owner, species) for species in SPECIES]
        random.shuffle(cards)
        in_hand = random.randrange(5)
        in_deck = random.randrange(9) if in_hand else 0
        hands.append(tuple(cards[:in_hand]))
        decks.append(tuple(cards[in_hand : in_hand + in_deck]))
        rest += cards[in_hand + in_deck :]
    random.shuffle(rest)
    bounds = sorted(random.randrange(len(rest) + 1) for _ in range(3))
    in_queue = min(bounds[0], random.randrange(5))
    left = sum(map(len, hands + decks))
    holders = [player for player in range(num_players) if hands[player]] or range(num_players)
    return State(
        hands=tuple(hands),
        decks=tuple(decks),
        queue=tuple(rest[:in_queue]),
        bar=tuple(rest[bounds[0] : bounds[1]]),
        thats_it=tuple(rest[bounds[1] : bounds[2]]),
        to_move=random.choice(holders),
        turn=random.randrange(12 * num_players - left + 1),
    )


@settings(max_examples=200)
@given(strange_states(), st.integers(0, 2**32))
def test_strange_positions_are_played_to_their_end(state, seed):
    random, position = Random(seed), from_state(state)
    while moves := rules.legal_moves(position):
        assert bb_sim.legal_actions(state) == [to_action(move) for move in moves]
        assert str(state)
        if state.num_players == 2:
            for name in OPPONENTS:
                assert set(best_actions(state, name)) <= set(map(to_action, moves))
            for viewer in (0, 1):
                bb_sim.decode_observation(bb_sim.observe(state, viewer))
        move = random.choice(moves)
        position = rules.play(position, move)
        state = bb_sim.step(state, to_action(move))
        assert_shows(state, position)
    assert bb_sim.is_terminal(state)
