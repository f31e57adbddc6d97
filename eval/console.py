"""What commands print. Output that cannot be written never ends the work behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from eval.interrupts import check_interrupted

if TYPE_CHECKING:
    from eval.matches.match import OnProgress


class ForgivingOutput:
    """A text output whose loss goes unnoticed by those who write to it.

    An output is lost when its reader has gone away, its terminal has hung up or its disk is full.
    What is written to it from then on is dropped. Characters that its encoding lacks are replaced.

    Attributes:
      lost: whether that has happened.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = False

    def write(self, text: str) -> int:
        self._attempt(lambda: self._write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(text.encode(error.encoding, "replace").decode(error.encoding))

    def _attempt(self, operation: Callable[[], Any]) -> None:
        if self.lost:
            return
        try:
            operation()
        except OSError:
            self.lost = True
            _silence(self._stream)
        except ValueError:
            if not self._stream.closed:
                raise
            self.lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def show(text: str, *, end: str = "\n", file: TextIO | None = None) -> bool:
    """Prints a text on standard output, or on `file`; returns whether it could be written."""
    output = ForgivingOutput(file or sys.stdout)
    output.write(text + end)
    output.flush()
    return not output.lost


def note(text: str) -> None:
    """Prints a remark on standard error."""
    show(f"note: {text}", file=sys.stderr)


def complain(error: object) -> None:
    """Prints on standard error what went wrong."""
    show(f"error: {error}", file=sys.stderr)


def replace_closed_outputs() -> None:
    """Lets a process that was started without outputs write to nowhere.

    Otherwise the next file to be opened takes the missing output's number, and the libraries' texts
    land in it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the process's life


def duration(seconds: float) -> str:
    """A duration such as 1:02:03 or 2:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


@contextmanager
def games_bar() -> Iterator[OnProgress]:
    """Shows a bar on standard error while games are played; lines if that is no terminal.

    What it gives is to be called between forward passes; it raises KeyboardInterrupt after Ctrl-C.
    """
    if not sys.stderr.isatty():
        from eval.heartbeat import Games, Heartbeat

        games = Games()

        def count(done: int, total: int) -> None:
            check_interrupted()
            games.note(done, total)

        with Heartbeat(note) as heartbeat, heartbeat.phase(lambda: f"playing: {games}"):
            yield count
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(file=cast(TextIO, ForgivingOutput(sys.stderr)))
    columns = (BarColumn(), MofNCompleteColumn(), "games", TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def on_progress(done: int, total: int) -> None:
            check_interrupted()
            progress.update(task, completed=done, total=total)

        yield on_progress


def _silence(stream: TextIO) -> None:
    """Sends what a lost stream still holds to nowhere, or the interpreter's last flush fails."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
