"""The game in a terminal of its own, as a person sits before it."""

import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time

import pytest

from eval.analysis.notation import parse_game
from tests.waiting import PATIENCE

COLUMNS = 80


class Terminal:
    """A program in a pseudo terminal.

    Attributes:
      output: all that it has shown.
    """

    def __init__(self, folder, kind, *arguments):
        self._master, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        unset = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
        environment = {name: v for name, v in os.environ.items() if name not in unset}
        environment |= {"TERM": kind, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = shlex.join([sys.executable, "-m", "eval.play", *arguments])
        # The first terminal that a session's leader opens is the one whose Ctrl-C it gets.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command} <>{os.ttyname(terminal)} >&0 2>&1"],
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        # Until the program has it open, the terminal would hang up without this one.
        self._terminal: int | None = terminal
        self.output = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.output.count(text) < times:
            assert self._read(deadline - time.monotonic()), self.output

    def end(self) -> int:
        """The exit code, once it has ended; closes the terminal."""
        while self._read(PATIENCE):
            pass
        os.close(self._master)
        return self.process.wait(PATIENCE)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            found = os.read(self._master, 65536)
        except OSError:
            # Linux's way to say that nobody has the terminal open any more.
            return False
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        self.output += found.decode().replace("\r\n", "\n")
        return bool(found)


@pytest.fixture
def start(tiny_checkpoints):
    started = []

    def start(kind, *options):
        arguments = ("--checkpoint", "tiny", "--opponent", "heuristic", "--seed", "5")
        terminal = Terminal(
            tiny_checkpoints, kind, *arguments, "--samples", "5", "--device", "cpu",
            "--seat", "first", *options,
        )  # fmt: skip
        started.append(terminal.process)
        return terminal

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_dumb_terminal_gets_plain_lines_and_ctrl_d_ends_the_game(start):
    terminal = start("dumb")
    terminal.wait_for("?):")
    terminal.type("1\n")
    terminal.wait_for("?):", 2)
    terminal.type("\x04")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.output and "\r" not in terminal.output
    assert "The input has ended" in terminal.output and "1. giraffe" in terminal.output
    assert terminal.output.count("?): 1\n") == 1, "what is typed is shown once"


def test_a_terminal_with_colours_plays_to_the_review(start):
    terminal = start("xterm-256color")
    terminal.wait_for("?):")
    terminal.type("1\n" * 12)
    assert terminal.end() == 0
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.output)
    assert "\x1b[1;38;5;" in terminal.output and "you: accuracy" in told
    screen = told.partition("--- Review")[0]
    assert all(len(line.rpartition("\r")[2]) <= COLUMNS for line in screen.splitlines())


def test_ctrl_c_ends_with_a_sentence_and_keeps_the_game(start, tmp_path):
    terminal = start("xterm", "--save", str(tmp_path / "game.txt"))
    terminal.wait_for("?):")
    terminal.type("1\n")
    terminal.wait_for("?):", 2)
    terminal.type("1\x03")
    assert terminal.end() == 130
    assert len(parse_game((tmp_path / "game.txt").read_text()).moves) == 2
    assert terminal.output.endswith("\nerror: interrupted\n")
    assert "Traceback" not in terminal.output
