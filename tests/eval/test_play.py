"""Whole games through the command: moves as lines, and what is shown for them."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bb_jax import load_policy
from bb_sim import is_decided, legal_actions, new_game, scores
from eval.analysis.engine import Engine
from eval.analysis.notation import move_text, parse_game
from eval.play import main
from eval.runs.references import find_policy
from tests.waiting import PATIENCE

GAME = ("--checkpoint", "tiny", "--device", "cpu", "--seed", "5", "--samples", "5")
REPOSITORY = Path(__file__).parents[2]
ENOUGH = b"1\n" * 12
AGENT = "tests.eval.policies:FirstAgent"


@pytest.fixture
def play(tiny_checkpoints, monkeypatch, capsys):
    """Plays with lines of input; returns the exit code, the output and the errors."""
    monkeypatch.chdir(tiny_checkpoints)
    monkeypatch.setenv("COLUMNS", "80")

    def run(given: bytes, *arguments: str, opponent: str = "heuristic"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main([*GAME, "--opponent", opponent, *arguments])
        out, errors = capsys.readouterr()
        return code, out, errors

    return run


def game_in(out):
    """The game that is shown at the end."""
    return parse_game(out[out.index("Beasty Bar\n") :])


@pytest.mark.parametrize("seat", ["first", "second"])
@pytest.mark.parametrize(
    "opponent", ["online", "tiny@1", "tiny + search", "tiny+afterstates", AGENT]
)
def test_a_whole_game_ends_with_its_result_and_review(play, opponent, seat):
    code, out, errors = play(ENOUGH, "--seat", seat, opponent=opponent)
    assert code == 0
    assert errors.splitlines() == ["note: loading tiny", "note: --seed 5 deals these cards again"]
    record = game_in(out)
    assert record.is_complete and record.start == new_game(5)
    assert is_decided(record.states[-1])
    own = 0 if seat == "first" else 1
    for turn, move in enumerate(record.moves):
        if turn % 2 == own:
            assert move == legal_actions(record.states[turn])[0]
    counts = scores(record.states[-1], "points")
    mine, theirs = counts[own], counts[1 - own]
    result = re.search(r"you have (\d+) points?, they have (\d+)\.|both have (\d+)", out)
    assert result is not None
    assert {int(number) for number in result.groups() if number} == {mine, theirs}
    assert f"{'You win' if mine > theirs else ' wins' if mine < theirs else 'A draw'}" in out
    assert "--- Review" in out and "you: accuracy " in out and "they: accuracy " in out
    # One line of the review for every move, numbered as the board numbers the turns.
    reviewed = re.findall(r"^ +(\d+) +(you|they) +(\S+)", out, re.MULTILINE)
    assert [(int(turn), move) for turn, _, move in reviewed] == [
        (turn, move_text(move)) for turn, move in enumerate(record.moves, 1)
    ]


def test_a_level_can_be_chosen(monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1\n")))
    assert main(["--level", "beginner", "--seat", "first", "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert game_in(out).players == ("you", "beginner") and len(game_in(out).moves) == 2


def test_the_same_seed_is_the_same_game(play):
    first, second = (play(ENOUGH, opponent="noisy")[1] for _ in range(2))
    assert first == second


def test_moves_may_be_written_in_the_notation(play):
    _, out, _ = play(b"gir\nLION\nparrot@1\nparrot\nq\n", "--seat", "first")
    moves = [move_text(move) for move in game_in(out).moves]
    assert moves[0::2] == ["giraffe", "lion", "parrot@1"]
    assert "You hold no parrot." in out


def test_a_card_with_several_choices_is_asked_for_again(play):
    _, out, _ = play(b"giraffe\nlion\nparrot\nparrot@4\n3\n", "--seat", "first")
    ways = "4 is parrot@1, 5 is parrot@2, 6 is parrot@3."
    assert f"Parrot is none of your choices: {ways}" in " ".join(out.split())
    assert f"Parrot@4 is none of your choices: {ways}" in " ".join(out.split())
    assert len(game_in(out).moves) == 6


def test_a_hint_shows_what_the_engine_says(play):
    _, out, _ = play(b"1\nh\n", "--seat", "second")
    shown = re.findall(r"^ +(\d+\.\d)(?: \(\d+-\d+\)| exact)? +([+-]\d+\.\d) +(\d) ", out, re.M)
    record = game_in(out)
    engine = Engine(load_policy(find_policy("tiny")))
    analysis = engine.analyse(record, samples=5)
    choices = [move_text(action) for action in legal_actions(record.states[-1])]
    assert shown == [
        (
            f"{100 * entry.win.mean:.1f}",
            f"{entry.margin.mean:+.1f}",
            str(choices.index(entry.action) + 1),
        )
        for entry in analysis.actions
    ]
    best = next(line for line in out.splitlines() if line.endswith("(best)"))
    assert f" {choices.index(analysis.best) + 1} " in best


def test_undo_takes_back_a_move_and_its_answer(play):
    _, out, _ = play(b"u\n1\n2\nu\n", "--seat", "first")
    _, expected, _ = play(b"1\n", "--seat", "first")
    assert "There is no move of yours." in out
    assert game_in(out) == game_in(expected)
    positions = out.split("--- Turn 3 of 24")[1:]
    assert len(positions) == 2
    assert positions[0].split("Your move")[0] == positions[1].split("Your move")[0]


def test_rules_and_help_are_told(play):
    _, out, _ = play(b"r lion\nrules\n?\nr dog\n")
    assert out.count("A second lion") == 2 and out.count("Reverses the queue.") == 1
    assert "u, undo" in out and "There is no animal 'dog'" in out


@pytest.mark.parametrize("given", [b"", b"1\n2\n", b"1\n1\nq\n", b"1\n1"])
def test_the_end_of_input_is_the_end_of_the_game(play, tmp_path, given):
    code, out, _ = play(given, "--seat", "first", "--save", str(tmp_path / "game.txt"))
    assert code == 0 and "Review" not in out
    saved = parse_game((tmp_path / "game.txt").read_text())
    assert len(saved.moves) == 2 * len(given.split(b"q")[0].split())
    if saved.moves:
        assert saved == game_in(out)
    start = saved.start
    assert all(card.is_hidden for card in (*start.hands[1], *start.decks[1]))
    assert [card.is_hidden for card in start.decks[0]].count(False) == len(saved.moves) // 2


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 3_000_000,
        bytes(range(1, 10)) + bytes(range(11, 256)),
        b"\x1b[2J\x1b]0;title\x07",
        b"9" * 5000,
        "１ ２".encode(),
        b"-1",
        b"0",
        b"1.0",
        b"{}{0}[bold]",
        b"hint please\xff",
        b"r " + b"lion " * 10_000 + b"dog",
    ],
)
def test_a_bad_line_gets_a_sentence_and_the_question_again(play, line):
    code, out, errors = play(line + b"\n1\n", "--seat", "first")
    assert code == 0 and len(game_in(out).moves) == 2
    assert out.count("Your move") == 3
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert len(out) < 20_000 and "Traceback" not in errors


def test_a_file_that_is_there_is_not_overwritten(play, tmp_path):
    file = tmp_path / "game.txt"
    file.write_text("mine")
    code, out, errors = play(ENOUGH, "--save", str(file))
    assert (code, out) == (2, "") and file.read_text() == "mine"
    assert "is there already, and is not overwritten" in errors


def test_a_network_of_another_scoring_gives_no_hints(play):
    code, out, _ = play(b"h\n" + ENOUGH, "--scoring", "animals", "--seat", "first")
    assert code == 0
    told = " ".join(out.split())
    assert "The network was trained for scoring by points, and the game is scored by" in told
    assert "There is no review: the network was trained" in told
    assert re.search(r"you have \d+ animals?, they have|both have \d+ animal", told)


def test_an_opponent_that_fails_ends_the_game_and_the_moves_are_kept(play, tmp_path):
    agent = "tests.eval.policies:FailingAgent"
    arguments = ("--seat", "first", "--save", str(tmp_path / "game.txt"))
    code, out, errors = play(b"1\n1\n", *arguments, opponent=agent)
    assert code == 2 and "You play giraffe" in out
    assert f"error: agent {agent} failed in select_action" in errors
    assert len(parse_game((tmp_path / "game.txt").read_text()).moves) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--opponent", "heuristc"], "nearest: heuristic"),
        (["--opponent", "tiny+serch"], "there are tiny, tiny+afterstates, tiny+search"),
        (["--opponent", "tiny@7"], "7"),
        (["--opponent", "animals", "--scoring", "points"], "trained for scoring by animals"),
        (["--opponent", "no.such:Agent"], "no.such"),
        (["--level", "beginner"], "there is no run iter0_to_600"),
        (["--level", "god"], "beginner"),
        (["--level", "novice", "--opponent", "online"], "not allowed with"),
        (["--checkpoint", "nobody"], "there is no run nobody"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--seed", str(2**64)], "--seed must be below"),
        (["--samples", "-1"], "--samples must not be negative"),
        (["--milliseconds", "5"], "not allowed with"),
        (["--save", "missing/game.txt"], "missing"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    tiny_checkpoints, monkeypatch, capsys, arguments, part
):
    monkeypatch.chdir(tiny_checkpoints)
    code: object
    try:
        code = main([*GAME, *arguments])
    except SystemExit as error:
        code = error.code
    out, errors = capsys.readouterr()
    said = [line for line in errors.splitlines() if not line.startswith("note: ")]
    assert (code, out, len(said)) == (2, "", 1)
    assert said[0].startswith("error: ") and part in said[0]


def test_a_reader_that_has_gone_ends_the_game(tiny_checkpoints):
    with subprocess.Popen(
        [sys.executable, "-m", "eval.play", *GAME, "--opponent", "heuristic"],
        cwd=tiny_checkpoints,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(ENOUGH)
        process.stdin.close()
        errors = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 0
    assert all(line.startswith("note: ") for line in errors.splitlines())
