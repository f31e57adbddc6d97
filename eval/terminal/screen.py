"""What the terminal shows: lines, wrapped to its width, with colours where it has them.

Nothing is ever drawn over. So the same output suits a terminal, a dumb one, a pipe and a file.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress
from rich.text import Text

from eval.outputs import ForgivingOutput

# Longer lines are hard to read.
_WIDEST = 100
_NARROWEST = 20
# For an output whose encoding lacks them.
_PLAIN = str.maketrans({"’": "'", "…": "."})


class Screen:
    """An output for people."""

    def __init__(self, output: TextIO | None = None) -> None:
        """Writes to standard output unless another one is given."""
        self._output = ForgivingOutput(sys.stdout if output is None else output)
        self._console = Console(
            file=cast(TextIO, self._output), highlight=False, markup=False, emoji=False
        )

    @property
    def lost(self) -> bool:
        """Whether nobody reads it any more."""
        return self._output.lost

    @property
    def width(self) -> int:
        """Characters in a line."""
        return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))

    def say(self, text: Text | str = "", *, indent: int = 0, hang: int = 0) -> None:
        """Shows a paragraph.

        Args:
          text: what to show.
          indent: blanks before its first line.
          hang: blanks before its other lines.
        """
        hang = max(indent, hang)
        first, rest = self._encodable(text).divide([hang - indent])
        lines = rest.wrap(self._console, max(8, self.width - hang)) or [Text()]
        for number, line in enumerate(lines):
            line = Text(" " * hang) + line if number else Text(" " * indent) + first + line
            line.rstrip()
            self._print(line)

    def verbatim(self, text: str) -> None:
        """Shows lines as they are, however long."""
        for line in text.splitlines():
            self._print(self._encodable(line))

    def title(self, text: str) -> None:
        """Shows a line that divides what was from what comes."""
        self.say()
        line = f"--- {text} "
        self._print(self._encodable(Text(line.ljust(min(60, self.width), "-"), "bold")))

    def ask(self, question: str) -> None:
        """Shows a question; the answer follows in the same line."""
        self._print(self._encodable(question), end=" ")

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], object]]:
        """Shows how far something is, in a line that goes away; a plain line in other outputs."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            self.say(f"{what} ...")
            yield lambda done, total: None
            return
        columns = ("{task.description}", BarColumn(20), MofNCompleteColumn())
        self._console.width = self.width
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def _print(self, line: Text, end: str = "\n") -> None:
        self._console.print(line, end=end, soft_wrap=True)

    def _encodable(self, text: Text | str) -> Text:
        """The text, in characters that the output's encoding has."""
        text = Text(text) if isinstance(text, str) else text.copy()
        try:
            text.plain.encode(self._console.encoding)
        except UnicodeEncodeError:
            text.plain = text.plain.translate(_PLAIN)
        return text
