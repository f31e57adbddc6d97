"""The command: requests in, answers out, and one sentence for what is wrong."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from eval import analyse
from eval.analyse import main


@pytest.fixture
def say(tiny_checkpoints, monkeypatch, capsys):
    """Runs the command with standard input; returns its exit code, output and errors."""
    monkeypatch.chdir(tiny_checkpoints)

    def run(given: bytes, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
        code = main(arguments or ["--checkpoint", "tiny"])
        out, errors = capsys.readouterr()
        return code, out, errors

    return run


SEEN = {"seen": ["lion", "zebra", "seal", "skunk"], "seat": 0, "samples": 5}


def test_every_line_is_answered_before_the_command_ends(say):
    lines = [json.dumps(SEEN | {"id": str(number)}) for number in range(5)]
    lines[2] = "no request"
    lines.append(" " * 300_000 + "{}")
    lines.append('{"id": "last"')
    code, out, errors = say("\n".join(lines).encode(), "--checkpoint", "tiny", "--threads", "2")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and not errors
    assert sorted(str(answer["id"]) for answer in found) == sorted("0134") + ["None"] * 3
    assert sum("longer than" in answer.get("error", "") for answer in found) == 1


def test_no_input_is_no_output(say):
    assert say(b"") == (0, "", "")


def test_a_reader_that_has_gone_ends_the_command(say, monkeypatch):
    shown: list[str] = []

    def show(text: str) -> bool:
        shown.append(text)
        return False

    monkeypatch.setattr(analyse, "show", show)
    code, _, _ = say(b"1\n" * 1000)
    assert code == 0 and len(shown) == 1


def test_a_game_is_reviewed(say, tmp_path):
    game = tmp_path / "game.txt"
    game.write_text("hand 0: lion zebra seal skunk\nplayer 0: Anna\n1. zebra lion\n", "utf-8")
    arguments = ["--checkpoint", "tiny", "--review", str(game), "--samples", "10"]
    code, out, errors = say(b"", *arguments, "--opponent", "heuristic")
    assert (code, errors) == (0, "")
    assert "zebra" in out and "player 0 (Anna): accuracy" in out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "--checkpoint says which network"),
        (["--checkpoint", "nothing"], "there is no run nothing"),
        (["--checkpoint", "tiny", "--threads", "0"], "--threads must be 1 to 64, not 0"),
        (["--checkpoint", "tiny", "--depth", "0"], "--depth must be"),
        (["--checkpoint", "tiny", "--draw-reward", "3"], "--draw-reward must be"),
        (["--checkpoint", "tiny", "--review", "missing.txt"], "missing.txt"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(say, capsys, arguments, part):
    code = main(arguments)
    errors = capsys.readouterr().err
    assert code == 2 and errors.startswith("error: ") and part in errors
    assert len(errors.splitlines()) == 1


def test_a_file_that_is_no_game_is_refused_with_its_line(say, tmp_path):
    game = tmp_path / "game.txt"
    for content, part in ((b"\nlion dog", "line 2: there is no animal 'dog'"), (b"\xff", "utf-8")):
        game.write_bytes(content)
        code, out, errors = say(b"", "--checkpoint", "tiny", "--review", str(game))
        assert (code, out) == (2, "") and part in errors and str(game) in errors


def test_the_schema_is_printed(say):
    code, out, _ = say(b"", "--schema")
    assert code == 0 and json.loads(out)["title"] == "Analysis protocol"
