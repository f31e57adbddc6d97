"""Says what a command is doing, in a line every half a minute in which it says nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from eval.console import duration

#: The longest silence, in seconds.
SILENCE_SECONDS = 30.0

# What a phase is called; a function where that changes while it lasts.
Name = str | Callable[[], str]


class Heartbeat:
    """Tells of the phase that a command is in; a context manager.

    Phases are entered and left by one thread. The lines come from another one, so they come while
    a function compiles, too.
    """

    def __init__(
        self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Says nothing yet.

        Args:
          say: called with each line.
          clock: seconds, monotonic.
        """
        self._say = say
        self._clock = clock
        self._phases: list[tuple[Name, float]] = []
        self._spoken = clock()
        self._ended = threading.Event()

    def __enter__(self) -> Heartbeat:
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()

    @contextmanager
    def phase(self, name: Name) -> Iterator[None]:
        """Enters a phase; within it, a further one is told of in its place."""
        self._phases.append((name, self._clock()))
        try:
            yield
        finally:
            self._phases.pop()

    def spoken(self) -> None:
        """Notes that the command has shown something by itself."""
        self._spoken = self._clock()

    @property
    def line(self) -> str | None:
        """The present phase, and for how long it has lasted; None between phases."""
        try:
            name, since = self._phases[-1]
        except IndexError:
            return None
        text = name if isinstance(name, str) else name()
        return f"{text}, for {duration(self._clock() - since)}"

    def _beat(self) -> None:
        while not self._ended.wait(max(0.01, self._spoken + SILENCE_SECONDS - self._clock())):
            if self._clock() - self._spoken < SILENCE_SECONDS:
                continue
            self.spoken()
            # What only shows never ends the work.
            with suppress(Exception):
                line = self.line
                if line is not None:
                    self._say(line)


class Games:
    """Games of a phase, counted: its `note` is an `eval.matches.match.OnProgress`."""

    def __init__(self) -> None:
        self._counts: tuple[int, int] | None = None

    def note(self, done: int, total: int) -> None:
        """Notes games finished and games in all."""
        self._counts = done, total

    def __str__(self) -> str:
        """Such as "300 of 1,000 games"; "games" before any number is known."""
        if self._counts is None:
            return "games"
        done, total = self._counts
        return f"{done:,} of {total:,} games"
