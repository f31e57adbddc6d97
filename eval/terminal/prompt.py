"""Questions to a person, or to the lines of a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from eval.input_lines import lines_of
from eval.terminal.screen import Screen

_LONGEST = 1000
_SHOWN = 60


class Prompt:
    """Asks on a screen and reads the answers from a stream."""

    def __init__(self, screen: Screen, stream: TextIO | None) -> None:
        """Reads nothing yet.

        Args:
          screen: where the questions go.
          stream: the standard input; None where there is none.
        """
        self._screen = screen
        self._lines: Iterator[bytes] = iter(())
        self._echoes = True
        if stream is not None:
            self._lines = lines_of(stream.buffer, _LONGEST)
            self._echoes = not stream.isatty()

    def ask(self, question: str) -> str | None:
        """The answer, without blanks around it; None at the end of input or without a reader."""
        self._screen.ask(question)
        if self._screen.lost:
            return None
        try:
            line = next(self._lines, None)
        except (OSError, ValueError):
            # The terminal has hung up, or the input is nothing that can be read.
            line = None
        except KeyboardInterrupt:
            # What is said about it gets a line of its own.
            self._screen.say()
            raise
        if line is None:
            self._screen.say()
            return None
        answer = "".join(
            letter if letter.isprintable() else "?"
            for letter in line.decode("utf-8", "replace").strip()
        )
        if self._echoes:
            # A terminal shows what is typed; a pipe does not.
            self._screen.say(answer if len(answer) <= _SHOWN else f"{answer[:_SHOWN]}...")
        return answer
