"""The hosts of a run: what they can ask of each other, and a host that trains alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bb_jax.errors import UserError

T = TypeVar("T")


class HostError(UserError):
    """Another host is lost or has failed; the message is one sentence that names it."""


class Hosts:
    """The hosts of a run: here, this process alone.

    Attributes:
      index: this host's number.
      count: number of hosts.
    """

    index = 0
    count = 1

    @property
    def first(self) -> bool:
        """Whether this is host 0, which alone writes to the run's folder."""
        return self.index == 0

    def gather(self, value: T) -> list[T]:
        """The values that all hosts give in the same call, by host.

        Raises:
          HostError: a host is lost or has failed.
          Interrupted: a host was told to stop.
        """
        return [value]

    def share(self, make: Callable[[], T]) -> T:
        """The value that host 0 makes, on every host.

        Args:
          make: called on host 0 alone.

        Raises:
          HostError, Interrupted: as in `gather`.
        """
        return make()

    def why_lost(self, seconds: float) -> str | None:
        """The sentence about a lost host; waits up to `seconds` for a loss to be noticed."""
        return None

    def leave(self, reason: str | None = None) -> None:
        """Says goodbye to the other hosts, and waits a little for them. It is the last call.

        Args:
          reason: why this host ends early, if it does.
        """
