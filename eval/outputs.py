"""Outputs whose loss ends no work: what everything writes to that people read."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO


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


def _silence(stream: TextIO) -> None:
    """Sends what a lost stream still holds to nowhere, or the interpreter's last flush fails."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
