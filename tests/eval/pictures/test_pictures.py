"""Pictures of positions and turns, and those that the documentation shows."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bb_sim import SPECIES, Action, Card, State, is_terminal, legal_actions, new_game, step
from eval.pictures.__main__ import main
from eval.pictures.board import describe, draw_position, draw_turn
from eval.pictures.rules import TURNS

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"


def names_drawn(picture: str) -> list[str]:
    """The species named on the cards of a picture."""
    texts = [element.text or "" for element in ElementTree.fromstring(picture).iter()]
    return [text for text in texts if text in SPECIES]


@pytest.mark.skipif(not PICTURES.exists(), reason="the documentation is not at hand")
def test_the_pictures_of_the_documentation_are_what_the_rules_give(tmp_path):
    assert main(["--out", str(tmp_path / "new folder")]) == 0
    stale = [
        made.name
        for made in (tmp_path / "new folder").iterdir()
        if made.read_text("utf-8") != (PICTURES / made.name).read_text("utf-8")
    ]
    assert not stale, "python -m eval.pictures draws them anew"


def test_every_animal_has_a_picture():
    assert set(SPECIES) <= set(TURNS)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize("num_players", [2, 4])
def test_every_turn_of_a_game_can_be_drawn_and_refers_to_nothing_outside(num_players):
    state = new_game(seed=1, num_players=num_players)
    while not is_terminal(state):
        action = legal_actions(state)[-1]
        picture = draw_turn(state, action)
        tags = {
            element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()
        }
        assert tags <= {"svg", "title", "rect", "circle", "ellipse", "path", "g", "text"}
        assert not re.search(r"href|url\(|\bid=", picture)
        state = step(state, action)
    if num_players == 2:
        assert "The game is over" in draw_position(state, viewer=0)


def test_a_turn_shows_the_queue_before_and_after():
    queue = (Card(1, "lion"), Card(1, "snake"), Card(0, "kangaroo"))
    state = State(hands=((Card(0, "seal"),), ()), queue=queue)
    before = ["lion", "snake", "kangaroo", "seal"]
    assert names_drawn(draw_turn(state, Action("seal"))) == [*before, *reversed(before)]


def test_a_position_shows_its_viewer_no_hidden_card():
    state = new_game(seed=3)
    picture = draw_position(state, viewer=0)
    assert names_drawn(picture) == [card.species for card in state.hands[0]]
    exchanged = replace(
        state,
        hands=(state.hands[0], state.decks[1][:4]),
        decks=(state.decks[0][::-1], (*state.hands[1], *state.decks[1][4:])),
    )
    assert draw_position(exchanged, viewer=0) == picture


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action("lion"), "lion"),
        (Action("kangaroo", (1,)), "kangaroo over 1 animal"),
        (Action("kangaroo", (2,)), "kangaroo over 2 animals"),
        (Action("parrot", (1,)), "parrot at the snake"),
        (Action("chameleon", ("seal",)), "chameleon as a seal"),
        (Action("chameleon", ("parrot", 0)), "chameleon as a parrot at the lion"),
    ],
)
def test_actions_in_words(action, words):
    queue = (Card(1, "lion"), Card(1, "snake"))
    assert describe(action, State(hands=((), ()), queue=queue)) == words
