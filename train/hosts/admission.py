"""How host 0 admits the other hosts: whoever calls has to know the run's secret.

Both sides prove that they know it, without sending it:

  host 0 to the caller    GREETING, 32 random bytes
  caller to host 0        its number, 32 random bytes, MAC of "caller" and all of these
  host 0 to the caller    MAC of "host 0" and all of these

The MACs are HMAC-SHA256 (RFC 2104). The words in them keep one side's answer from being the other
side's. Messages have a fixed length, and a caller has seconds for them, so nobody can make host 0
wait or fill its memory.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from train.hosts.base import HostError

GREETING = b"beasty-bar host 0, version 1\n"
_RANDOM_BYTES = _MAC_BYTES = 32
_NUMBER = struct.Struct("!I")
# Of a caller, from its call to its last byte.
_SECONDS = 10.0
# Callers that have not answered yet. Another one then costs the longest waiting its place, so that
# a crowd of strangers keeps nobody out who answers at once.
_MOST_CALLERS = 128
_RETRY_SECONDS = 0.5


def new_secret() -> bytes:
    """A secret for one run."""
    return secrets.token_bytes(_MAC_BYTES)


def admit(
    listener: socket.socket, secret: bytes, count: int, deadline: float
) -> dict[int, Connection]:
    """Waits until hosts 1, 2, ..., `count` - 1 have called.

    Args:
      listener: a socket that listens.
      secret: what all hosts of the run know.
      count: the number of hosts.
      deadline: when to give up, in the time of `time.monotonic`.

    Returns:
      The connection to each host, by its number.

    Raises:
      HostError: some have not called in time.
    """
    listener.setblocking(False)
    found = asyncio.run(_Door(listener, secret, count).open(deadline - time.monotonic()))
    missing = [str(other) for other in range(1, count) if other not in found]
    if missing:
        for admitted in found.values():
            admitted.close()
        which = (
            f"host {missing[0]} has" if len(missing) == 1 else f"hosts {', '.join(missing)} have"
        )
        raise HostError(f"{which} not called host 0 in time")
    return {other: _connection(admitted) for other, admitted in found.items()}


class _Door:
    """Hears all callers at once, and keeps those who know the secret."""

    def __init__(self, listener: socket.socket, secret: bytes, count: int):
        self._listener, self._secret, self._count = listener, secret, count
        self._found: dict[int, socket.socket] = {}
        self._complete = asyncio.Event()
        # In the order of their calls.
        self._callers: dict[asyncio.Task[None], None] = {}

    async def open(self, seconds: float) -> dict[int, socket.socket]:
        """The hosts that have called, when all have or the time is over."""
        welcoming = asyncio.create_task(self._welcome())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), max(0.0, seconds))
        tasks = [welcoming, *self._callers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return self._found

    async def _welcome(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                caller, _ = await loop.sock_accept(self._listener)
            except OSError:
                # The caller has gone, or this process has too many files open.
                await asyncio.sleep(0.05)
                continue
            if len(self._callers) >= _MOST_CALLERS:
                next(iter(self._callers)).cancel()
            task = asyncio.create_task(self._hear(caller))
            self._callers[task] = None
            task.add_done_callback(self._callers.pop)

    async def _hear(self, caller: socket.socket) -> None:
        other = None
        try:
            caller.setblocking(False)
            async with asyncio.timeout(_SECONDS):
                other = await self._prove(caller)
        except (OSError, EOFError):
            pass
        finally:
            if other is None:
                caller.close()
        if other is not None:
            # A host that calls again has lost its first connection.
            earlier = self._found.pop(other, None)
            if earlier is not None:
                earlier.close()
            self._found[other] = caller
            if len(self._found) == self._count - 1:
                self._complete.set()

    async def _prove(self, caller: socket.socket) -> int | None:
        """The number of a caller that knows the secret; None for anybody else."""
        loop = asyncio.get_running_loop()
        greeting = GREETING + secrets.token_bytes(_RANDOM_BYTES)
        await loop.sock_sendall(caller, greeting)
        answer = b""
        while (missing := _NUMBER.size + _RANDOM_BYTES + _MAC_BYTES - len(answer)) > 0:
            part = await loop.sock_recv(caller, missing)
            if not part:
                return None
            answer += part
        said, mac = answer[:-_MAC_BYTES], answer[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(self._secret, b"caller", greeting + said)):
            return None
        (other,) = _NUMBER.unpack(said[: _NUMBER.size])
        if not 1 <= other < self._count:
            return None
        await loop.sock_sendall(caller, _mac(self._secret, b"host 0", greeting + said))
        return int(other)


def call(names: Sequence[str], port: int, secret: bytes, index: int, deadline: float) -> Connection:
    """Calls host 0 until it answers.

    Args:
      names: names by which this host may reach it.
      port: where it listens.
      secret: what all hosts of the run know.
      index: this host's number.
      deadline: when to give up, in the time of `time.monotonic`.

    Raises:
      HostError: nobody at these names has answered as host 0 in time.
    """
    failure: Exception | None = None
    while time.monotonic() < deadline:
        for name in names:
            try:
                return _introduce(name, port, secret, index)
            except OSError as error:
                failure = error
        time.sleep(_RETRY_SECONDS)
    raise HostError(f"host 0 does not answer at {', '.join(names)}: {failure}")


def _introduce(name: str, port: int, secret: bytes, index: int) -> Connection:
    """Calls host 0 at one of its names.

    Raises:
      OSError: nobody answers there, or it is not host 0.
    """
    host = socket.create_connection((name, port), timeout=_SECONDS)
    try:
        greeting = _receive(host, len(GREETING) + _RANDOM_BYTES)
        if not greeting.startswith(GREETING):
            raise OSError(f"{name} is not host 0, or has another version of the program")
        said = _NUMBER.pack(index) + secrets.token_bytes(_RANDOM_BYTES)
        host.sendall(said + _mac(secret, b"caller", greeting + said))
        proof = _receive(host, _MAC_BYTES)
        if not hmac.compare_digest(proof, _mac(secret, b"host 0", greeting + said)):
            raise OSError(f"{name} does not know the run's secret")
        return _connection(host)
    except BaseException:
        host.close()
        raise


def _receive(host: socket.socket, size: int) -> bytes:
    received = b""
    deadline = time.monotonic() + _SECONDS
    while len(received) < size:
        part = host.recv(size - len(received))
        if not part or time.monotonic() > deadline:
            raise OSError("the connection was closed before host 0 had answered")
        received += part
    return received


def _mac(secret: bytes, role: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, role + said, "sha256")


def _connection(admitted: socket.socket) -> Connection:
    admitted.setblocking(True)
    return Connection(admitted.detach())
