"""What a person sees: never a hidden card, in terminals of any kind."""

import io

import pytest

from bb_sim import legal_actions
from eval.games.game import Game
from eval.games.opponents import Offer
from eval.terminal.advice import Adviser
from eval.terminal.prompt import Prompt
from eval.terminal.screen import Screen
from eval.terminal.session import Session
from tests.eval.analysis.games import random_record, tiny_engine


def shown(start, seat, replies, answers, encoding="utf-8"):
    """The output of a game in which the opponent's moves are given by turn."""
    game = Game(Offer("scripted", "scripted", "agent", ""), seat, "points", [start])
    content = io.BytesIO()
    screen = Screen(io.TextIOWrapper(content, encoding))
    pipe = io.TextIOWrapper(io.BytesIO("\n".join(answers).encode()))
    session = Session(
        game,
        lambda seed, states, moves: replies[len(moves)],
        Adviser(tiny_engine(), 3),
        screen,
        Prompt(screen, pipe),
    )
    session.play()
    session.conclude()
    return content.getvalue().decode(encoding)


def answers_of(record, seat):
    """The person's moves as choices, with a hint before each."""
    for turn, move in enumerate(record.moves):
        if turn % 2 == seat:
            yield "h"
            yield str(legal_actions(record.states[turn]).index(move) + 1)


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("game", range(3))
def test_what_is_shown_depends_on_nothing_that_is_hidden(game, seat):
    record = random_record(game, 10 + seat)
    answers = [*answers_of(record, seat), "h", "u", "h", "r", "q"]
    other = record.seen_by(seat).states[0]
    assert other != record.start, "other hidden cards"
    screens = [shown(start, seat, record.moves, answers) for start in (record.start, other)]
    assert screens[0] == screens[1]
    assert screens[0].count("Judged by what you have seen") == len(answers) // 2


@pytest.fixture
def terminal(monkeypatch):
    """Sets the environment that terminals are known by."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    def set_up(columns, **variables):
        monkeypatch.setenv("COLUMNS", str(columns))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_up


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(terminal, columns):
    terminal(columns)
    record = random_record(3)
    text = shown(record.start, 0, record.moves, ["?", "r", "zzz", *answers_of(record, 0)])
    played, _, notation = text.partition("--- The game")
    assert "--- Review" in played and notation
    assert max(map(len, played.splitlines())) <= min(columns, 100)
    assert not any(line.endswith(" ") for line in played.splitlines())


def test_an_output_without_the_characters_gets_others(terminal):
    terminal(80)
    record = random_record(3)
    text = shown(record.start, 0, record.moves, ["r", *answers_of(record, 0)], "ascii")
    assert "THAT'S IT" in text and text.isascii()
    assert "There" not in text, "no question mark that stands for a character is refused"


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({"FORCE_COLOR": "1", "TERM": "xterm-256color"}, True),
        ({"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm-256color"}, False),
    ],
)
def test_colours_are_for_terminals_that_have_them(terminal, variables, colours):
    terminal(80, **variables)
    record = random_record(4)
    text = shown(record.start, 1, record.moves, ["1"])
    assert ("\x1b[1;38;5;" in text) == colours
