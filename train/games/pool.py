"""The pool of opponents, and the share of the games that each of them gets.

An opponent is named by a key: "self" for self-play, "checkpoint:<hash>" for a past checkpoint or
an exploiter, and the name itself for a named opponent (one of the simulator's ten, or a Python
agent "package.module:Class").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from train.config import OpponentConfig, PoolConfig

SELF_PLAY = "self"
CHECKPOINT_PREFIX = "checkpoint:"

UNKNOWN_RAW_WEIGHT = 0.5


class OpponentPool:
    """Self-play, past checkpoints and named opponents in the configured shares."""

    def __init__(
        self,
        opponent_config: OpponentConfig,
        named: Sequence[str],
        max_checkpoints: int | None = None,
        max_exploiters: int = 3,
    ) -> None:
        """Makes a pool without checkpoints.

        Args:
          opponent_config: the configured shares.
          named: the named opponents; those other than "random" share `heuristic_weight`.
          max_checkpoints: the largest number of past checkpoints kept, by default the one in
            `opponent_config`.
          max_exploiters: the largest number of exploiters kept beside them.
        """
        self.opponent_config = opponent_config
        self.named = tuple(named)
        if max_checkpoints is None:
            max_checkpoints = opponent_config.max_checkpoints
        self.max_checkpoints = max_checkpoints
        self.max_exploiters = max_exploiters
        self._fixed: list[str] = []
        self._members: list[str] = []
        self._exploiters: list[str] = []

    @property
    def members(self) -> tuple[str, ...]:
        """Hashes of the past checkpoints, oldest first."""
        return tuple(self._members)

    @property
    def exploiters(self) -> tuple[str, ...]:
        """Hashes of the exploiters, oldest first."""
        return tuple(self._exploiters)

    def add_checkpoint(self, policy_hash: str) -> None:
        """Adds a past checkpoint as the newest; drops the oldest beyond `max_checkpoints`."""
        _append(self._members, policy_hash, self.max_checkpoints)

    def add_exploiter(self, policy_hash: str) -> None:
        """Adds an exploiter as the newest; drops the oldest beyond `max_exploiters`."""
        _append(self._exploiters, policy_hash, self.max_exploiters)

    def note_win_rates(self, win_rates: Mapping[str, float]) -> None:
        """Takes note of an evaluation; shares that are fixed ignore it.

        Args:
          win_rates: the win rate against each opponent evaluated, a fraction from 0 to 1. The
            opponents need not be in the pool.
        """

    def shares(self) -> dict[str, float]:
        """The fraction of the games that each opponent gets; all positive, summing to 1.

        Fixed opponents, past checkpoints and exploiters share `checkpoint_weight` equally. A share
        with nobody to play against goes to self-play.
        """
        weights = self._named_shares()
        # A policy that is both a past checkpoint and an exploiter counts once.
        policies = tuple(dict.fromkeys(self._fixed + self._members + self._exploiters))
        for policy_hash in policies:
            share = self.opponent_config.checkpoint_weight / len(policies)
            weights[CHECKPOINT_PREFIX + policy_hash] = share
        config = self.opponent_config
        self_share = config.current_weight
        if not policies:
            self_share += config.checkpoint_weight
        self_share += config.random_weight + config.heuristic_weight - self._total_named_share()
        shares = {SELF_PLAY: self_share, **weights}
        total = math.fsum(shares.values())
        return {key: share / total for key, share in shares.items() if share > 0}

    def hashes(self) -> tuple[str, ...]:
        """Hashes of the policies that the pool plays against."""
        keys = (key for key in self.shares() if key.startswith(CHECKPOINT_PREFIX))
        return tuple(key.removeprefix(CHECKPOINT_PREFIX) for key in keys)

    def state_dict(self) -> dict[str, Any]:
        """The state that changes during a run, as JSON-able values."""
        return {
            "fixed": list(self._fixed),
            "members": list(self._members),
            "exploiters": list(self._exploiters),
        }

    @classmethod
    def from_state_dict(
        cls,
        state: Mapping[str, Any],
        opponent_config: OpponentConfig,
        named: Sequence[str],
        max_checkpoints: int | None = None,
        max_exploiters: int = 3,
        **options: Any,
    ) -> Self:
        """Restores the pool whose `state_dict()` was `state`.

        Args:
          state: the state; the other arguments are the constructor's.

        Raises:
          ValueError: `state` holds a win rate against an opponent that is not in `named`.
        """
        pool = cls(opponent_config, named, max_checkpoints, max_exploiters, **options)
        pool._restore(state)
        return pool

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.adopt_policies(state)

    def adopt_policies(self, state: Mapping[str, Any]) -> None:
        """Adds the policies in another pool's `state_dict()`, oldest first."""
        self._fixed = list(state.get("fixed", ()))
        for policy_hash in state["members"]:
            self.add_checkpoint(policy_hash)
        for policy_hash in state["exploiters"]:
            self.add_exploiter(policy_hash)

    def _total_named_share(self) -> float:
        """The part of `random_weight + heuristic_weight` that has an opponent to play against."""
        has_random = "random" in self.named
        has_others = len(self.named) > int(has_random)
        config = self.opponent_config
        return has_random * config.random_weight + has_others * config.heuristic_weight

    def _named_shares(self) -> dict[str, float]:
        others = len(self.named) - ("random" in self.named)
        return {
            name: self.opponent_config.random_weight
            if name == "random"
            else self.opponent_config.heuristic_weight / others
            for name in self.named
        }


class AdaptiveOpponentPool(OpponentPool):
    """A pool that gives more games to the named opponents that the learner beats less often.

    The raw weight of an opponent is max(1 - win rate, minimum), or 0.5 before its first evaluation.
    Normalised over all named opponents, the raw weights share out
    `random_weight + heuristic_weight`. Before the first evaluation the configured shares hold.
    """

    MIN_WEIGHT = 0.05

    def __init__(
        self,
        opponent_config: OpponentConfig,
        named: Sequence[str],
        max_checkpoints: int | None = None,
        max_exploiters: int = 3,
        min_weight: float | None = None,
    ) -> None:
        """Makes a pool; see `OpponentPool`.

        Args:
          opponent_config: the configured shares.
          named: the named opponents.
          max_checkpoints: the largest number of past checkpoints kept.
          max_exploiters: the largest number of exploiters kept.
          min_weight: the smallest raw weight, by default `MIN_WEIGHT`.
        """
        super().__init__(opponent_config, named, max_checkpoints, max_exploiters)
        self.min_weight = self.MIN_WEIGHT if min_weight is None else min_weight
        self._win_rates: dict[str, float] = {}

    def note_win_rates(self, win_rates: Mapping[str, float]) -> None:
        """Updates the weights of the pool's named opponents; ignores all others."""
        known = {name: rate for name, rate in win_rates.items() if name in self.named}
        self.update_weights_from_win_rates(known)

    def update_weights_from_win_rates(self, win_rates: Mapping[str, float]) -> None:
        """Updates the weights from an evaluation.

        Args:
          win_rates: the win rate against each opponent, a fraction from 0 to 1. An opponent that
            is absent keeps its last weight.

        Raises:
          ValueError: a name is not one of the pool's named opponents, or a rate is outside
            [0, 1]. The weights are unchanged then.
        """
        for name, rate in win_rates.items():
            if name not in self.named:
                raise ValueError(
                    f"unknown opponent {name!r} among the win rates; "
                    f"the pool has {', '.join(self.named) or 'none'}"
                )
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"win rate {rate!r} against {name} is outside [0, 1]")
        self._win_rates.update({name: float(rate) for name, rate in win_rates.items()})

    def raw_weights(self) -> dict[str, float]:
        """The weight of each named opponent before normalisation."""
        return {
            name: max(1.0 - self._win_rates[name], self.min_weight)
            if name in self._win_rates
            else UNKNOWN_RAW_WEIGHT
            for name in self.named
        }

    def weights(self) -> dict[str, float]:
        """Each named opponent's fraction of the games against named opponents, summing to 1."""
        raw = self.raw_weights()
        if not self._win_rates:
            configured = super()._named_shares()
            if any(configured.values()):
                raw = configured
        total = math.fsum(raw.values())
        return {name: weight / total for name, weight in raw.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state of `OpponentPool`, and the last win rate against each named opponent."""
        return {**super().state_dict(), "win_rates": dict(self._win_rates)}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self.update_weights_from_win_rates(state["win_rates"])

    def _total_named_share(self) -> float:
        if not self._win_rates:
            return super()._total_named_share()
        return self.opponent_config.random_weight + self.opponent_config.heuristic_weight

    def _named_shares(self) -> dict[str, float]:
        if not self._win_rates:
            return super()._named_shares()
        total = self._total_named_share()
        return {name: weight * total for name, weight in self.weights().items()}


def make_opponent_pool(
    config: PoolConfig, max_exploiters: int, state: Mapping[str, Any] | None = None
) -> OpponentPool:
    """Makes the pool of a configuration.

    Args:
      config: the opponents and their shares. Without `use_opponent_pool` all games are self-play.
      max_exploiters: the largest number of exploiters kept.
      state: the `state_dict()` to restore; None makes a new pool.
    """
    kind = AdaptiveOpponentPool if config.use_adaptive_weights else OpponentPool
    options: dict[str, Any] = {"max_exploiters": max_exploiters}
    if config.use_adaptive_weights:
        options["min_weight"] = config.min_opponent_weight
    opponent_config = config.opponent_config
    if not config.use_opponent_pool:
        opponent_config = opponent_config.replace(
            current_weight=1.0, checkpoint_weight=0.0, random_weight=0.0, heuristic_weight=0.0
        )
    named = config.named_opponents
    if state is None:
        return kind(opponent_config, named, **options)
    return kind.from_state_dict(state, opponent_config, named, **options)


def _append(hashes: list[str], policy_hash: str, most: int) -> None:
    if policy_hash in hashes:
        hashes.remove(policy_hash)
    hashes.append(policy_hash)
    del hashes[: max(len(hashes) - most, 0)]
