"""Work that a signal can interrupt: it runs in a thread while the main thread listens."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Generic, TypeVar

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How long a signal may go unnoticed, in seconds.
_POLL_SECONDS = 0.1

T = TypeVar("T")


class Interrupted(Exception):
    """A signal asked the run to stop; `signal_number` says which, `where` on which host."""

    def __init__(self, signal_number: int, where: str = ""):
        super().__init__(f"stopped by {signal.Signals(signal_number).name}{where}")
        self.signal_number = signal_number


class StopSignals:
    """Notes SIGINT and SIGTERM while it is entered; a second one ends the process at once."""

    def __init__(self) -> None:
        #: The signal that has come, if any.
        self.received: int | None = None
        self._previous: dict[int, Any] = {}
        self._watch: Callable[[], None] | None = None

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received = number

    def watch(self, check: Callable[[], None]) -> None:
        """Has `check` called by `check` as well; it may raise what else ends the run."""
        self._watch = check

    def check(self) -> None:
        """Raises Interrupted if a signal has come, and what the watch raises."""
        if self._watch is not None:
            self._watch()
        if self.received is not None:
            raise Interrupted(self.received)


class Task(Generic[T]):
    """A function that runs in a thread of its own from now on.

    The main thread stays free for signals even while a compiled call of half a minute runs. The
    thread is a daemon: an abandoned task does not keep the process alive.
    """

    def __init__(self, function: Callable[[], T]):
        self._function = function
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def result(self, stop: StopSignals) -> T:
        """Waits for the function's value.

        Raises:
          Interrupted: a signal came first; the function goes on, its value is lost.
          BaseException: what the function raised.
        """
        while not self._done.wait(_POLL_SECONDS):
            stop.check()
        stop.check()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]
