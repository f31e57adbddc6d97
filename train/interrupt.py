"""Signals that stop a run, and work in a thread that they can interrupt."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, TypeVar

#: Ctrl-C, a request to end, and the end of the terminal.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds that a signal may go unnoticed.
_POLL_SECONDS = 0.1

T = TypeVar("T")


class Interrupted(Exception):
    """A signal asked the run to stop.

    Attributes:
      signal_number: the signal.
    """

    def __init__(self, signal_number: int, where: str = ""):
        """Says which signal.

        Args:
          signal_number: the signal.
          where: added to the message, such as " on host 1".
        """
        super().__init__(f"stopped by {signal.Signals(signal_number).name}{where}")
        self.signal_number = signal_number


class StopSignals:
    """Notes the signals that stop a run while entered; a second signal ends the process at once.

    A closing terminal often sends SIGHUP twice, or after Ctrl-C: as a second signal it is ignored.
    A SIGHUP that was ignored before, as under `nohup`, stays ignored.
    """

    def __init__(self) -> None:
        #: The signal that came, if any.
        self.received: int | None = None
        self._previous: dict[int, Any] = {}
        self._watch: Callable[[], None] | None = None

    def __enter__(self) -> StopSignals:
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        elif number != signal.SIGHUP:
            os._exit(128 + number)

    def watch(self, watch: Callable[[], None]) -> None:
        """Adds a function that `check` calls too; it raises whatever else ends the run."""
        self._watch = watch

    def check(self) -> None:
        """Ends the run where something asks for it.

        Raises:
          Interrupted: a signal came.
          UserError: whatever the function of `watch` raises.
        """
        if self._watch is not None:
            self._watch()
        if self.received is not None:
            raise Interrupted(self.received)


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Blocks the stop signals in processes started meanwhile, and delays them in this one.

    A terminal sends them to all processes, and a helper must not end before the run.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Task(Generic[T]):
    """Runs a function in a thread of its own, from now on.

    The main thread stays free for signals even during a compiled call of half a minute. The thread
    is a daemon: an abandoned task does not keep the process alive.
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
          Interrupted: a signal came first; the function goes on, but its value is lost.
          BaseException: whatever the function raises.
        """
        while not self._done.wait(_POLL_SECONDS):
            stop.check()
        stop.check()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]
