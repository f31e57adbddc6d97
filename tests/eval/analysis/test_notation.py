"""The notation: a person can type it, and everything written is read back."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bb_sim import ACTIONS, SPECIES
from eval.analysis.errors import AnalysisError
from eval.analysis.notation import (
    game_text,
    link_text,
    move_text,
    parse_card,
    parse_game,
    parse_link,
    parse_move,
    parse_species,
)
from eval.analysis.record import GameRecord
from tests.eval.analysis.games import random_record

TYPED = """
beasty bar            # a comment
Hand 0: se gi sn cr
deck 0: kang, par
player 1: the champion
1. crocodile giraffe  2. snake
seal
3. GIRAFFE
"""


def records() -> st.SearchStrategy[GameRecord]:
    """Whole games, parts of them, and what seats saw of them."""

    def make(seed: int, turn: int, start: int, seat: int | None, animals: bool) -> GameRecord:
        record = random_record(seed).until(turn)
        state = record.state(min(start, turn))
        record = GameRecord(
            state,
            record.moves[state.turn :],
            "animals" if animals else "points",
            ("Anna: 1. # x", "") if animals else ("", "é.~"),
        )
        return record if seat is None else record.seen_by(seat)

    seeds, turns = st.integers(0, 50), st.integers(0, 24)
    return st.builds(make, seeds, turns, turns, st.sampled_from([None, 0, 1]), st.booleans())


def test_every_move_is_written_so_that_it_can_be_read():
    texts = [move_text(action) for action in ACTIONS]
    assert [parse_move(text) for text in texts] == list(ACTIONS)
    assert len(set(texts)) == len(ACTIONS)
    assert parse_move("cham=par@4") == ACTIONS[32]
    assert move_text(ACTIONS[16]) == "parrot@4"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("dog", "there is no animal 'dog'"),
        ("s", "'s' may be skunk or seal or snake"),
        ("kangaroo+3", "there are kangaroo, kangaroo+1, kangaroo+2"),
        ("parrot@0", "there are parrot, parrot@1"),
        ("lion@1", "there are lion"),
        ("lion=zebra", "no move"),
        ("", "is no move"),
        ("x" * 500, "…"),
    ],
)
def test_what_is_no_move_is_refused_in_a_sentence(text, part):
    with pytest.raises(AnalysisError, match=re.escape(part)) as refusal:
        parse_move(text)
    assert refusal.value.field == "moves"


def test_species_may_be_shortened_and_cards_say_whose_they_are():
    assert [parse_species(name[:3]) for name in SPECIES] == list(SPECIES)
    assert parse_card("lion(1)") == parse_card("li1")
    for text in ("lion", "lion(2)", "lion(0", "(0)"):
        with pytest.raises(AnalysisError, match=r"lion\(0\)"):
            parse_card(text)


def test_a_game_is_typed_by_hand():
    record = parse_game(TYPED)
    assert record.players == ("", "the champion")
    assert [move_text(move) for move in record.moves] == [
        "crocodile",
        "giraffe",
        "snake",
        "seal",
        "giraffe",
    ]
    assert not record.is_complete
    hand = [card.species for card in record.state(4).hands[0]]
    assert hand == ["parrot", "kangaroo", "seal", "giraffe"]


@given(records())
def test_a_game_reads_back_as_it_was_written(record):
    written = replace(record, players=("Anna", "")) if "#" in record.players[0] else record
    assert parse_game(game_text(written)) == written
    link = link_text(record)
    assert parse_link(f"#{link}") == record
    # The characters of a fragment (RFC 3986) that no program changes.
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", link)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hand 0: lion lion seal skunk", "twice"),
        ("hand 0: lion seal", "holds 4 cards, not 2"),
        ("hand 2: lion", "line 1: there is no key"),
        ("queue: lion(0)\nqueue: lion(1)", "line 2: queue stands twice"),
        ("queue: lion(0) lion(1)", "two lions"),
        ("scoring: apples", "line 1: scoring is points or animals"),
        ("\n1. dog", "line 2: there is no animal 'dog'"),
        ("1. lion lion lion", "that card is not in the hand"),
        ("1. parrot@1", "legal are parrot without a choice"),
        ("lion " * 5000, "more than 20000"),
    ],
)
def test_what_is_no_game_is_refused_in_a_sentence(text, part):
    with pytest.raises(AnalysisError, match=re.escape(part)):
        parse_game(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda link: link[:-3],
        lambda link: "2" + link[1:],
        lambda link: link.replace(".", ".z", 1),
        lambda link: link.upper(),
        lambda link: link + "." * 20,
        lambda link: "",
        lambda link: link.replace(link.split(".")[8], "~"),
        lambda link: link.replace(link.split(".")[8], link.split(".")[8][::-1]),
    ],
)
def test_a_broken_link_is_refused_in_a_sentence(change):
    with pytest.raises(AnalysisError):
        parse_link(change(link_text(random_record(3))))
