"""Ctrl-C and agents that do not behave: a sentence, an exit code, and an end."""

import os
import subprocess
import sys

import pytest

from eval.main import main
from tests.waiting import PATIENCE

MATCH = ("--checkpoint", "tiny", "--games", "20", "--device", "cpu")


@pytest.mark.parametrize(("command", "module"), [("eval.main", "numpy"), ("train.main", "yaml")])
def test_an_interrupt_while_modules_are_imported_is_silent(tmp_path, command, module):
    # A module that is interrupted while it is imported.
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)")
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", command, "--config", "configs/quickstart.yaml"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_callback_swallows_ends_an_evaluation(
    tiny_checkpoints, monkeypatch, capsys
):
    monkeypatch.chdir(tiny_checkpoints)
    agent = "tests.eval.policies:SwallowingAgent"
    assert main([*MATCH, "--opponents", agent]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.parametrize("agent", ["ExitingAgent", "LeavingAgent"])
def test_an_agent_that_ends_the_process_is_named(tiny_checkpoints, monkeypatch, capsys, agent):
    monkeypatch.chdir(tiny_checkpoints)
    assert main([*MATCH, "--opponents", f"tests.eval.policies:{agent}"]) == 2
    said = capsys.readouterr().err
    assert f"{agent} failed in select_action" in said and len(said.splitlines()) == 1


def test_a_thread_that_an_agent_leaves_running_does_not_keep_the_process(tiny_checkpoints):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "eval.main", *MATCH),
            *("--opponents", "tests.eval.policies:ThreadAgent", "--json", "threads.json"),
        ],
        cwd=tiny_checkpoints,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Variance of the win rates" in done.stdout
    assert (tiny_checkpoints / "threads.json").exists()
