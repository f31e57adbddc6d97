"""Paths on command lines: `~` is the home folder in every option and argument that takes a file."""

import pytest

import eval.analyse
import eval.pictures.__main__
import eval.report.__main__
import eval.tournament
import train.checkpoints
import train.jobs.__main__
import train.main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


COMMANDS = {
    "eval.tournament --json": lambda path: eval.tournament.main(
        ["random", "queue", "--games", "2", f"--json={path}"]
    ),
    "eval.pictures --out": lambda path: eval.pictures.__main__.main([f"--out={path}"]),
    "eval.report --out": lambda path: eval.report.__main__.main(["nobody", f"--out={path}"]),
    "eval.analyse --review": lambda path: eval.analyse.main(
        ["--checkpoint=nobody", f"--review={path}"]
    ),
    "train.main --config": lambda path: train.main.main([f"--config={path}"]),
    "train.jobs start --config": lambda path: train.jobs.__main__.main(
        ["start", f"--config={path}"]
    ),
    "train.jobs list --root": lambda path: train.jobs.__main__.main(["list", f"--root={path}"]),
    "train.checkpoints pack": lambda path: train.checkpoints.main(["pack", "nobody", path]),
    "train.checkpoints export": lambda path: train.checkpoints.main(["export", "nobody", path]),
    "train.checkpoints show": lambda path: train.checkpoints.main(["show", path]),
}


def test_results_go_to_the_home_folder(home):
    assert COMMANDS["eval.tournament --json"]("~/result.json") == 0
    assert COMMANDS["eval.pictures --out"]("~/pictures") == 0
    assert (home / "result.json").is_file()
    assert list((home / "pictures").glob("*.svg"))
    assert list((home / "here").iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        "eval.analyse --review",
        "train.main --config",
        "train.jobs start --config",
        "train.checkpoints show",
    ],
)
def test_what_is_missing_there_is_named(home, capsys, command):
    assert COMMANDS[command]("~/missing.policy") == 2
    assert f"{home}/missing.policy" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("~nobody-here/a", "~nobody-here/a: there is no user nobody-here"),
        ("$HOME/a", "$HOME/a: $HOME is taken literally"),
    ],
)
def test_a_home_that_cannot_be_is_one_sentence(home, capsys, command, path, sentence):
    with pytest.raises(SystemExit) as exit_:
        COMMANDS[command](path)
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert sentence in message and message.count("\n") == 1
    assert list((home / "here").iterdir()) == []
