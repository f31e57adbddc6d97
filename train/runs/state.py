"""A run's state beside the arrays on the device; saved as JSON with every checkpoint."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GameSource:
    """What an iteration's games are generated from, beside the acting parameters.

    Attributes:
      iteration: the iteration that learns from the games.
      shares: each opponent key's share of the games.
      members: hashes of the checkpoint opponents among the keys.
    """

    iteration: int
    shares: dict[str, float]
    members: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """Counts over all iterations of a run, including those before its start."""

    games: int = 0
    positions: int = 0
    updates: int = 0

    def plus(self, games: int, positions: int, updates: int) -> Totals:
        """The totals after one more iteration."""
        return Totals(self.games + games, self.positions + positions, self.updates + updates)


@dataclass(frozen=True)
class RunState:
    """The state of a run after its last completed iteration.

    Attributes:
      iteration: completed iterations.
      start_iteration: the iteration that this run started from: 0, or the iteration of the state
        that it continues. Schedules span from here to the end.
      totals: counts of games, positions and updates.
      pool: `OpponentPool.state_dict()`.
      next_games: under a policy lag of one, the source of the next iteration's games, whose
        acting parameters lie with the arrays. None where this state is their source.
      evaluations: every evaluation so far: iteration and win rate against each opponent.
      exploit: the last exploiter's result (`train.exploit.Exploit.as_json()`), if any.
    """

    iteration: int
    start_iteration: int
    totals: Totals
    pool: dict[str, Any]
    next_games: GameSource | None = None
    evaluations: tuple[dict[str, Any], ...] = ()
    exploit: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON-able values that `from_json` turns back into an equal state."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunState:
        """The state whose `as_json()` was `values`; JSON has turned its tuples into lists.

        Raises:
          KeyError, TypeError, AttributeError: a value is missing or of another type.
        """
        _check_count(values["iteration"])
        _check_count(values["start_iteration"])
        _check_pool(values["pool"])
        source = values["next_games"]
        if source is not None:
            source = GameSource(source["iteration"], source["shares"], tuple(source["members"]))
        return cls(
            iteration=values["iteration"],
            start_iteration=values["start_iteration"],
            totals=Totals(**values["totals"]),
            pool=values["pool"],
            next_games=source,
            evaluations=tuple(values["evaluations"]),
            exploit=values["exploit"],
        )


# The hashes name files.
_HASH = re.compile("[0-9a-f]+")


def _check_count(value: Any) -> None:
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} in place of a number of iterations")


def _check_pool(pool: Any) -> None:
    for name in ("members", "exploiters", "fixed"):
        # Earlier versions had no fixed opponents.
        for policy_hash in pool.get(name, ()) if name == "fixed" else pool[name]:
            if not isinstance(policy_hash, str) or not _HASH.fullmatch(policy_hash):
                raise TypeError(f"{policy_hash!r} in place of a checkpoint opponent")
