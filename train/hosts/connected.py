"""Several hosts, connected beside JAX's collectives: they exchange values, stops and losses.

Host 0 keeps the run's folder, the metrics and the display, and holds a connection to every other
host. Messages are small and never touch a device, so they pass even while a collective hangs. They
carry values, signals and the reason why a host ends; silence means that a host is gone. All hosts
make the same calls of `gather` and `share` in the same order.
"""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from bb_jax.errors import one_line
from train.hosts.base import HostError, Hosts
from train.interrupt import Interrupted, StopSignals

_PING_SECONDS = 2.0
_POLL_SECONDS = 0.05
_LEAVE_SECONDS = 5.0
#: A host counts as lost after this many seconds of silence.
DEFAULT_PATIENCE = 60.0

T = TypeVar("T")


class _Line:
    """The connection to one host, with a reading and a writing thread.

    Messages are queued, so nobody waits for a host that does not read.
    """

    def __init__(self, connection: Connection, heard: Callable[[Any], None]):
        self._connection = connection
        self._heard = heard
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.last_heard = time.monotonic()
        #: Set when the other side has closed the connection.
        self.closed = threading.Event()
        self._threads = [
            threading.Thread(target=function, daemon=True) for function in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, *message: Any) -> None:
        """Queues a message."""
        self._outgoing.put(message)

    def flush(self, seconds: float) -> None:
        """Ends the writing; waits up to `seconds` for queued messages to be sent."""
        self._outgoing.put(None)
        self._threads[1].join(seconds)

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                self.last_heard = time.monotonic()
                if message[0] != "ping":
                    self._heard(message)
        except (EOFError, OSError):
            self.closed.set()
            self._heard(("closed",))
        except Exception as error:
            # Such as a value of a class that another version of the program has.
            self.closed.set()
            self._heard(("unreadable", one_line(error)))

    def _write(self) -> None:
        with suppress(OSError):
            while True:
                try:
                    message = self._outgoing.get(timeout=_PING_SECONDS)
                except queue.Empty:
                    message = ("ping",)
                if message is None:
                    return
                self._connection.send(message)


class ConnectedHosts(Hosts):
    """Several hosts, in a star around host 0."""

    def __init__(
        self,
        index: int,
        count: int,
        connections: Sequence[Connection],
        stop: StopSignals,
        patience: float = DEFAULT_PATIENCE,
    ):
        """Takes over the connections; from here on `stop.check()` also calls `check`.

        Args:
          index: this host's number.
          count: number of hosts.
          connections: on host 0 those to hosts 1, 2, ...; elsewhere the one to host 0.
          stop: this host's signals.
          patience: seconds of silence after which a host counts as lost.
        """
        self.index = index
        self.count = count
        self._patience = patience
        self._stop = stop
        self._calls = 0
        self._news = threading.Condition()
        self._values: dict[tuple[int, int], Any] = {}
        self._stopped: tuple[int, int] | None = None  # signal number, host
        self._announced = False
        self._lost: str | None = None
        self._leaving: set[int] = set()
        others = range(1, count) if index == 0 else range(1)
        self._lines = {
            other: _Line(connection, functools.partial(self._hear, other))
            for other, connection in zip(others, connections, strict=True)
        }
        stop.watch(self.check)

    def gather(self, value: T) -> list[T]:
        self._begin_call()
        if not self.first:
            self._lines[0].send("value", self._calls, value)
            return self._await((self._calls, 0))
        values = [value, *(self._await((self._calls, other)) for other in self._lines)]
        self._tell_all("value", self._calls, values)
        return values

    def share(self, make: Callable[[], T]) -> T:
        self._begin_call()
        if not self.first:
            return self._await((self._calls, 0))
        value = make()
        self._tell_all("value", self._calls, value)
        return value

    def check(self) -> None:
        """Raises what other hosts have sent; tells them of a signal to this host.

        Raises:
          Interrupted: another host was told to stop.
          HostError: a host is lost or has failed.
        """
        if self._stop.received is not None and not self._announced:
            self._announced = True
            self._tell_all("stop", self._stop.received, self.index)
        if self._announced:
            return
        if self._stopped is not None:
            raise Interrupted(self._stopped[0], f" on host {self._stopped[1]}")
        now = time.monotonic()
        for other, line in self._lines.items():
            if now - line.last_heard > self._patience:
                self._lose(other, f"was lost: it has been silent for {self._patience:.0f} seconds")
        if self._lost is not None:
            raise HostError(self._lost)

    def why_lost(self, seconds: float) -> str | None:
        with self._news:
            self._news.wait_for(lambda: self._lost or self._stopped, seconds)
        return self._lost

    def leave(self, reason: str | None = None) -> None:
        self._tell_all("leaving", reason)
        deadline = time.monotonic() + _LEAVE_SECONDS
        for line in self._lines.values():
            line.flush(max(0.0, deadline - time.monotonic()))
        if self.first:
            # JAX's coordination service runs here; whoever outlives it is aborted.
            for line in self._lines.values():
                line.closed.wait(max(0.0, deadline - time.monotonic()))

    def _begin_call(self) -> None:
        self._stop.check()
        self._calls += 1

    def _await(self, key: tuple[int, int]) -> Any:
        while True:
            with self._news:
                self._news.wait_for(lambda: key in self._values, _POLL_SECONDS)
                if key in self._values:
                    return self._values.pop(key)
            self._stop.check()

    def _hear(self, other: int, message: tuple[Any, ...]) -> None:
        """Handles a message from another host, in that connection's reading thread."""
        kind = message[0]
        if kind == "closed":
            if other not in self._leaving:
                self._lose(other, "was lost: its connection is closed")
            return
        if kind == "unreadable":
            self._lose(other, f"sent what cannot be read: {message[1]}")
            return
        if kind == "leaving":
            self._leaving.add(other)
            if message[1] is not None:
                self._lose(other, f"failed: {message[1]}")
            return
        with self._news:
            if kind == "value":
                self._values[message[1], other] = message[2]
            elif kind == "stop":
                self._stopped = self._stopped or (message[1], message[2])
            elif kind == "lost":
                self._lost = self._lost or message[1]
            self._news.notify_all()
        if kind == "stop" and self.first:
            self._tell_all(*message)

    def _lose(self, other: int, what: str) -> None:
        with self._news:
            if self._lost is not None or self._stopped is not None:
                return
            self._lost = f"host {other} of {self.count} {what}"
            self._news.notify_all()
        self._tell_all("lost", self._lost)

    def _tell_all(self, *message: Any) -> None:
        for line in self._lines.values():
            line.send(*message)
