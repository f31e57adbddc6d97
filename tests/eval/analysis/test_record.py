"""Records: what a seat has seen, and which positions can come up."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bb_sim import Card, State, legal_actions, new_game, observe
from eval.analysis.errors import AnalysisError
from eval.analysis.positions import check_position, deck_size, hand_size, position_at
from eval.analysis.record import GameRecord, dealt_record, seen_record
from tests.eval.analysis.games import dealt_cards, random_record


@pytest.mark.parametrize("seed", range(6))
def test_a_seat_sees_of_its_record_what_it_saw_of_the_game(seed):
    record = random_record(seed)
    for turn in range(25):
        part = record.until(turn)
        for seat in (0, 1):
            seen = part.seen_by(seat)
            for before in range(turn + 1):
                expected = observe(record.states[before], seat)
                assert (seen.row(before, seat) == expected).all()
            own = dealt_cards(record, seat)[: min(12, 4 + (turn + 1 - seat) // 2)]
            assert seen_record(seat, own, part.moves) == seen
            assert seen.seen_by(seat) == seen
    assert record.is_complete and not record.until(3).seen_by(0).is_complete
    assert dealt_record([dealt_cards(record, 0), dealt_cards(record, 1)], record.moves) == record


def test_hidden_cards_are_filled_in_such_that_the_moves_are_legal():
    for seed in range(20):
        record = random_record(seed)
        hidden = [
            tuple(replace(card, species="hidden") for card in cards)
            for cards in (*record.start.hands, *record.start.decks)
        ]
        start = replace(record.start, hands=tuple(hidden[:2]), decks=tuple(hidden[2:]))
        assert GameRecord(start, record.moves).states[-1].queue == record.states[-1].queue


@pytest.mark.parametrize("turn", range(25))
def test_positions_of_games_are_possible(turn):
    for seed in range(10):
        state = random_record(seed, turn).states[-1]
        check_position(state)
        for seat in (0, 1):
            assert len(state.hands[seat]) == hand_size(turn, seat)
            assert len(state.decks[seat]) == deck_size(turn, seat)
        assert position_at(
            hands=[[card.species for card in hand] for hand in state.hands],
            decks=[[card.species for card in deck] for deck in state.decks],
            queue=state.queue,
            bar=state.bar,
            thats_it=state.thats_it,
        ) == replace(state, to_move=turn % 2)


ZEBRA, LION = Card(0, "zebra"), Card(0, "lion")
ZEBRA_1, LION_1 = Card(1, "zebra"), Card(1, "lion")


@pytest.mark.parametrize(
    ("queue", "bar", "thats_it", "part"),
    [
        ([ZEBRA, LION], [], [], "player 0 has played 1 animals, not 2"),
        ([], [], [ZEBRA], "the queue cannot be empty"),
        ([LION, LION_1], [], [], "two lions"),
        ([ZEBRA], [LION_1], [], "two at a time"),
        ([LION_1], [ZEBRA, ZEBRA_1, LION], [], "two at a time"),
        ([LION_1, ZEBRA], [ZEBRA_1, LION], [], "THAT'S IT"),
        ([ZEBRA, ZEBRA_1], [], [ZEBRA, LION_1], "twice"),
    ],
)
def test_impossible_positions_are_refused_in_a_sentence(queue, bar, thats_it, part):
    with pytest.raises(AnalysisError, match=re.escape(part)) as refusal:
        position_at(queue=queue, bar=bar, thats_it=thats_it)
    assert str(refusal.value.field).startswith("position")
    assert "\n" not in str(refusal.value)


def test_more_positions_that_are_refused():
    with pytest.raises(AnalysisError, match="of two players are analysed, not of 3"):
        check_position(new_game(1, num_players=3))
    with pytest.raises(AnalysisError, match="player 0 is to move"):
        check_position(new_game(1, first_player=1))
    with pytest.raises(AnalysisError, match="as many animals have been played"):
        check_position(State(hands=((ZEBRA,), (ZEBRA_1,)), turn=2))
    with pytest.raises(AnalysisError, match="4 cards in the hand and 8 in the deck, not 1 and 0"):
        check_position(State(hands=((ZEBRA,), (ZEBRA_1,))))


def test_a_game_with_an_illegal_move_is_refused():
    record = random_record(1)
    with pytest.raises(AnalysisError, match="the game is over"):
        record.after(record.moves[0])
    opening = GameRecord(record.start)
    foreign = [a for a in legal_actions(new_game(9)) if a not in legal_actions(record.start)]
    with pytest.raises(AnalysisError, match="not legal for player 0 at turn 0") as refusal:
        opening.after(foreign[0])
    assert refusal.value.field == "moves"


@pytest.mark.parametrize("cards", [3, 5, 12])
def test_a_seat_has_seen_as_many_cards_as_its_moves_say(cards):
    own = dealt_cards(random_record(2), 0)
    with pytest.raises(AnalysisError, match=f"has seen 4 of its cards, not {cards}"):
        seen_record(0, own[:cards])


def test_rows_are_observations():
    record = random_record(4)
    assert record.row(7, 1).dtype == np.uint8
    with pytest.raises(AnalysisError, match="the turns 0 to 24, not 25"):
        record.row(25, 0)
