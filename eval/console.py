"""What commands print. Output that cannot be written never ends the work behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

from eval.interrupts import check_interrupted
from eval.outputs import ForgivingOutput

if TYPE_CHECKING:
    from eval.matches.match import OnProgress


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
