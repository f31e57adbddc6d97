"""States, hidden cards, texts and observations as a user meets them."""

import dataclasses
import random
import re

import numpy as np
import pytest

from bb_sim import (
    ACTIONS,
    HIDDEN,
    OBSERVATION_SIZE,
    OPPONENTS,
    Action,
    Card,
    State,
    action_id,
    decode_observation,
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    observe,
    render,
    scores,
    step,
)


def cards(text: str) -> tuple[Card, ...]:
    return tuple(Card(int(word[-1]), word[:-1]) for word in text.split())


def played(seed: int, turns: int, num_players: int = 2) -> State:
    rng = random.Random(seed)
    state = new_game(seed, num_players=num_players)
    for _ in range(turns):
        state = step(state, rng.choice(legal_actions(state)))
    return state


# --- Cards and states -------------------------------------------------------------------------


def test_a_card_knows_its_strength_and_points() -> None:
    assert (Card(0, "skunk").strength, Card(0, "skunk").points) == (1, 4)
    assert (Card(1, "lion").strength, Card(1, "lion").points) == (12, 2)


@pytest.mark.parametrize(
    ("owner", "species", "message"),
    [(0, "tiger", "tiger"), (0, "Lion", "Lion"), (4, "lion", "owner"), (-1, "lion", "-1")],
)
def test_an_impossible_card_is_refused(owner: int, species: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Card(owner, species)


def test_a_hidden_card_tells_neither_strength_nor_points() -> None:
    card = Card(1, HIDDEN)
    assert card.is_hidden
    for name in ("strength", "points"):
        with pytest.raises(ValueError, match="hidden"):
            getattr(card, name)


def test_a_state_sorts_the_hands_and_keeps_everything_else_in_order() -> None:
    state = State(
        hands=(list(cards("lion0 skunk0")), cards("seal1")),  # type: ignore[arg-type]
        decks=(cards("zebra0 parrot0"), ()),
        queue=cards("snake1 hippo0"),
    )
    assert state.hands == (cards("skunk0 lion0"), cards("seal1"))
    assert state.decks == (cards("zebra0 parrot0"), ())
    assert state.queue == cards("snake1 hippo0")
    assert (state.num_players, state.cards_left) == (2, 5)
    assert hash(state) == hash(dataclasses.replace(state, hands=(state.hands[0], state.hands[1])))


def test_a_state_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        new_game(0).turn = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hands": (cards("lion0"),)}, "2 to 4 hands, not 1"),
        ({"hands": ((),) * 5}, "2 to 4 hands, not 5"),
        ({"decks": ((),)}, "decks, not 1"),
        ({"hands": (cards("lion1"), ())}, r"lion\(1\) is in the hand of player 0"),
        ({"decks": ((), cards("lion0"))}, r"lion\(0\) is in the deck of player 1"),
        ({"decks": ((), cards("lion1"))}, "player 1 has a deck but no hand"),
        ({"hands": (cards("lion0 hippo0 seal0 skunk0 snake0"), ())}, "5 cards, more than 4"),
        ({"queue": cards("lion0")}, r"lion\(0\) is in the position twice"),
        ({"queue": cards("seal1"), "bar": cards("seal1")}, r"seal\(1\) is in the position twice"),
        ({"queue": cards("seal2")}, r"seal\(2\) in the queue belongs to none of 2 players"),
        (
            {"queue": cards("seal1 hippo1 zebra1 snake1 skunk1")},
            "the queue holds 5 animals between turns, more than 4",
        ),
        ({"queue": (Card(1, HIDDEN),)}, "hidden card is in the queue"),
        ({"queue": ("lion0",)}, "'lion0', which is not a Card"),
        ({"to_move": 2}, "player must be 0 to 1, not 2"),
        ({"to_move": 1}, "player 1 is to move without a card"),
        ({"turn": -1}, "turn must be 0 to 24, not -1"),
        ({"turn": 24}, "at turn 24 of 24 there cannot be 1 cards to play"),
    ],
)
def test_an_impossible_state_is_refused(fields: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"hands": (cards("lion0"), ()), **fields}
    with pytest.raises(ValueError, match=message):
        State(**arguments)  # type: ignore[arg-type]


def test_an_action_that_the_game_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match=re.escape("Action(species='kangaroo', params=(3,))")):
        action_id(Action("kangaroo", (3,)))
    with pytest.raises(TypeError, match="17"):
        action_id(17)  # type: ignore[arg-type]


# --- Hidden cards -----------------------------------------------------------------------------


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_seen_by_hides_the_other_hands_and_all_decks(num_players: int) -> None:
    state = played(3, turns=5, num_players=num_players)
    seen = state.seen_by(1)
    for player in range(num_players):
        hidden = Card(player, HIDDEN)
        assert seen.decks[player] == (hidden,) * len(state.decks[player])
        if player == 1:
            assert seen.hands[player] == state.hands[player]
        else:
            assert seen.hands[player] == (hidden,) * 4
    assert seen == dataclasses.replace(state, hands=seen.hands, decks=seen.decks)
    assert seen.seen_by(1) == seen


def test_the_questions_about_a_seen_state_have_the_same_answers() -> None:
    for turns in range(25):
        state = played(turns, turns)
        seen = state.seen_by(state.to_move)
        assert legal_actions(seen) == legal_actions(state)
        assert is_terminal(seen) == is_terminal(state)
        assert is_decided(seen) == is_decided(state)
        for scoring in ("points", "animals"):
            assert scores(seen, scoring) == scores(state, scoring)


def test_a_seen_state_cannot_be_played_on() -> None:
    state = new_game(0)
    with pytest.raises(ValueError, match="hand of player 1 is hidden"):
        step(state.seen_by(0), legal_actions(state)[0])
    with pytest.raises(ValueError, match="hand of player 0, who is to move, is hidden"):
        legal_actions(state.seen_by(1))


def test_only_a_player_of_the_game_can_look() -> None:
    with pytest.raises(ValueError, match="player must be 0 to 1, not 2"):
        new_game(0).seen_by(2)


# --- Texts ------------------------------------------------------------------------------------


def test_a_state_reads_as_text() -> None:
    state = State(
        hands=(cards("lion0 skunk0"), cards("seal1")),
        decks=(cards("snake0"), ()),
        queue=cards("zebra1 parrot0"),
        bar=cards("monkey1 hippo1"),
        thats_it=cards("lion1"),
        turn=9,
    )
    assert str(state) == render(state)
    assert str(state).splitlines() == [
        "turn 9, player 0 to move",
        "  gate > zebra(1) parrot(0) > exclusion end",
        "  player 0: hand skunk, lion; 1 in the deck; 0 points with 0 in the bar",
        "  player 1: hand seal; 0 in the deck; 5 points with 2 in the bar",
        "  bar: monkey(1) hippo(1)",
        "  that's it: lion(1)",
    ]
    assert "hand 1 hidden" in str(state.seen_by(0))


def test_a_finished_game_reads_as_text() -> None:
    assert "the game is over" in str(played(0, turns=24))


def test_actions_read_as_text() -> None:
    assert str(Action("lion")) == "lion"
    assert str(Action("kangaroo", (2,))) == "kangaroo hopping 2"
    assert str(Action("parrot", (0,))) == "parrot at queue index 0"
    assert str(Action("parrot")) == "parrot without a choice"
    assert str(Action("chameleon", ("seal",))) == "chameleon as seal"
    assert str(Action("chameleon", ("kangaroo", 1))) == "chameleon as kangaroo hopping 1"
    assert len({str(action) for action in ACTIONS}) == len(ACTIONS)


def test_the_ten_opponents_in_their_order() -> None:
    assert OPPONENTS == (
        "random",
        "heuristic",
        "aggressive",
        "defensive",
        "queue",
        "skunk",
        "noisy",
        "online",
        "outcome_heuristic",
        "distilled_outcome",
    )


# --- Observations -----------------------------------------------------------------------------


def test_an_observation_byte_by_byte() -> None:
    state = State(
        hands=(cards("skunk0 lion0"), cards("seal1")),
        decks=(cards("snake0"), cards("parrot1")),
        queue=cards("zebra1 parrot0"),
        bar=cards("monkey1 hippo1 kangaroo0"),
        turn=9,
    )
    # Bits: skunk 0, parrot 1, seal 5, snake 8, lion 11; action ids: skunk 0, lion 8, seal 2.
    expected = [13 + 6, 1 + 1, 0, 0, 1, 8, 0, 1, 0b100010, 0, 36 - 1, 12 - 1, 78 - 12, 9]
    assert observe(state).tolist() == [*expected, 1, 1, 0, 0, 0]
    opponent = [1 + 6, 13 + 1, 0, 0, 0b100000, 0, 0b10, 0, 1, 9, 36 + 1, 12 + 1, 78 + 12, 9]
    assert observe(state, viewer=1).tolist() == [*opponent, 0, 0, 0, 0, 0]
    assert observe(state).dtype == np.uint8


def test_an_observation_decodes_into_what_the_state_shows() -> None:
    for turns in range(25):
        state = played(100 + turns, turns)
        for viewer in (0, 1):
            view = decode_observation(observe(state, viewer))
            other = 1 - viewer
            assert view.queue == tuple((card.owner == viewer, card.species) for card in state.queue)
            assert view.hand == tuple(card.species for card in state.hands[viewer])
            assert set(view.deck) == {card.species for card in state.decks[viewer]}
            unseen = (*state.hands[other], *state.decks[other])
            assert set(view.opponent_unseen) == {card.species for card in unseen}
            points, animals = scores(state), scores(state, "animals")
            assert view.points_margin == points[viewer] - points[other]
            assert view.animals_margin == animals[viewer] - animals[other]
            strengths = [
                sum(card.strength for card in state.bar if card.owner == player)
                for player in (viewer, other)
            ]
            assert view.strength_margin == strengths[0] - strengths[1]
            assert view.turn == turns
            legal = legal_actions(state) if viewer == state.to_move else []
            assert list(view.legal_actions) == legal


def test_an_observation_does_not_need_the_hidden_cards() -> None:
    for turns in range(25):
        state = played(200 + turns, turns)
        for viewer in (0, 1):
            assert np.array_equal(observe(state.seen_by(viewer), viewer), observe(state, viewer))


def test_hidden_cards_of_an_incomplete_set_cannot_be_observed() -> None:
    state = State(hands=(cards("lion0"), cards("seal1")))
    assert decode_observation(observe(state)).opponent_unseen == ("seal",)
    with pytest.raises(ValueError, match="player 1 has 1 hidden cards"):
        observe(state.seen_by(0))


def test_an_observation_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="two-player games, not of 3"):
        observe(new_game(0, num_players=3))
    with pytest.raises(ValueError, match="player must be 0 to 1, not 2"):
        observe(new_game(0), viewer=2)
    with pytest.raises(ValueError, match="hand of player 1, who observes, is hidden"):
        observe(new_game(0).seen_by(0), viewer=1)


def test_an_observation_reads_as_text() -> None:
    state = State(
        hands=(cards("skunk0 kangaroo0"), cards("seal1")),
        decks=(cards("snake0"), ()),
        queue=cards("zebra1 parrot0"),
        bar=cards("monkey1"),
        turn=9,
    )
    assert str(decode_observation(observe(state))).splitlines() == [
        "turn 9",
        "  gate > opponent zebra, own parrot > exclusion end",
        "  own hand: skunk, kangaroo",
        "  own deck: snake",
        "  opponent's hand and deck: seal",
        "  margins in the bar: -3 points, -1 animals, -4 strength",
        "  legal: skunk; kangaroo hopping 1; kangaroo hopping 2",
    ]


def changed(row: np.ndarray, index: int, value: int) -> np.ndarray:
    row = row.copy()
    row[index] = value
    return row


def test_what_is_no_observation_is_refused() -> None:
    row = observe(new_game(0))
    assert row.shape == (OBSERVATION_SIZE,)
    for bad, message in (
        (row[:-1], r"uint8 of shape \(19,\)"),
        (row.astype(np.float32), "float32"),
        (changed(row, 0, 25), "no cards"),
        (changed(row, 5, 255), "set of species has 12 bits"),
        (changed(row, 18, 2), "legal mask has 33 bits, bit 33 is set"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_observation(bad)
