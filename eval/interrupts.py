"""Ctrl-C from a command's first moment to its last: exit code 130 and never a traceback.

It is imported by every process that training starts, so it imports nothing heavy.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130


class _Noted:
    """Whether Ctrl-C has come while a command runs."""

    interrupted = False


def guard_imports() -> None:
    """Lets Ctrl-C end `python -m COMMAND` in silence while its modules are being imported.

    Packages with commands call it first. Programs that import such a package keep their handler:
    the interpreter's name is "-m" only while it looks for the command's module.
    """
    if sys.argv[:1] == ["-m"]:
        leave_on_interrupt()


def leave_on_interrupt() -> None:
    """Lets Ctrl-C end the process in silence, until a command handles it."""
    if _handles_interrupts():
        signal.signal(signal.SIGINT, _leave)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt inside, once; a second one ends the process at once."""
    if not _handles_interrupts():
        yield
        return
    _Noted.interrupted = False
    before = signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_interrupted() -> None:
    """Raises the KeyboardInterrupt of a Ctrl-C that came inside a library's callback.

    Python drops an exception that is raised there. Long loops call this between their steps.
    """
    if _Noted.interrupted:
        raise KeyboardInterrupt


def _handles_interrupts() -> bool:
    """Whether Ctrl-C is Python's or ours here; a job in the background may ignore it."""
    ours = threading.current_thread() is threading.main_thread()
    return ours and signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _leave)


def _raise(number: int, frame: FrameType | None) -> None:
    if _Noted.interrupted:
        os._exit(EXIT_INTERRUPTED)
    _Noted.interrupted = True
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)
