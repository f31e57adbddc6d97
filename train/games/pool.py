"""Who the learner plays against: the pool of opponents, their shares, an iteration's games.

An opponent is named by a key: "self" for self-play, "checkpoint:<hash>" for a past checkpoint or
an exploiter, and the name itself for a named opponent (one of the simulator's ten or a Python
agent "package.module:Class").
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from train.config import Config, OpponentConfig

SELF_PLAY = "self"
CHECKPOINT_PREFIX = "checkpoint:"
BOTH_SEATS = 2

UNKNOWN_RAW_WEIGHT = 0.5


# ---------------------------------------------------------------------------------------------
# Pools
# ---------------------------------------------------------------------------------------------


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
          opponent_config: the shares.
          named: the named opponents; those other than "random" share `heuristic_weight`.
          max_checkpoints: most past checkpoints kept, by default the configuration's.
          max_exploiters: most exploiters kept beside them.
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
        """Adds a past checkpoint as the newest; the oldest leaves where there are too many."""
        _append(self._members, policy_hash, self.max_checkpoints)

    def add_exploiter(self, policy_hash: str) -> None:
        """Adds an exploiter as the newest; the oldest leaves where there are too many."""
        _append(self._exploiters, policy_hash, self.max_exploiters)

    def shares(self) -> dict[str, float]:
        """The part of the games that each opponent gets: positive ones only, summing to 1.

        Fixed opponents, past checkpoints and exploiters share `checkpoint_weight` equally. A share
        with nothing to play against goes to self-play.
        """
        weights = self._named_shares()
        # A hash may be member and exploiter at once: it is one opponent.
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
        """Hashes of the policies that games are played against."""
        keys = (key for key in self.shares() if key.startswith(CHECKPOINT_PREFIX))
        return tuple(key.removeprefix(CHECKPOINT_PREFIX) for key in keys)

    def state_dict(self) -> dict[str, Any]:
        """What changes during a run, as JSON-able values from which it is restored exactly."""
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
        """The pool whose `state_dict()` was `state`; the other arguments are the constructor's."""
        pool = cls(opponent_config, named, max_checkpoints, max_exploiters, **options)
        pool.adopt_policies(state)
        return pool

    def adopt_policies(self, state: Mapping[str, Any]) -> None:
        """Takes the policies of a pool's state, oldest first."""
        self._fixed = list(state.get("fixed", ()))
        for policy_hash in state["members"]:
            self.add_checkpoint(policy_hash)
        for policy_hash in state["exploiters"]:
            self.add_exploiter(policy_hash)

    def _total_named_share(self) -> float:
        """The part of `random_weight + heuristic_weight` that has somebody to play against."""
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
    """A pool that plays more against the named opponents it wins less often against.

    The raw weight of an opponent is max(1 - win rate, minimum), 0.5 where it was never evaluated.
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
        """As `OpponentPool`; `min_weight` is the least raw weight, by default `MIN_WEIGHT`."""
        super().__init__(opponent_config, named, max_checkpoints, max_exploiters)
        self.min_weight = self.MIN_WEIGHT if min_weight is None else min_weight
        self._win_rates: dict[str, float] = {}

    def update_weights_from_win_rates(self, win_rates: Mapping[str, float]) -> None:
        """Takes the win rates, fractions from 0 to 1, of an evaluation.

        An opponent absent from `win_rates` keeps its last weight.

        Raises:
          ValueError: a name is not one of the pool's named opponents, or a rate is outside
            [0, 1]; nothing has changed then.
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
        """Each named opponent's part of the games against named opponents, summing to 1."""
        raw = self.raw_weights()
        if not self._win_rates:
            configured = super()._named_shares()
            if any(configured.values()):
                raw = configured
        total = math.fsum(raw.values())
        return {name: weight / total for name, weight in raw.items()}

    def state_dict(self) -> dict[str, Any]:
        """As `OpponentPool.state_dict`, with the last win rate against each named opponent."""
        return {**super().state_dict(), "win_rates": dict(self._win_rates)}

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
        """The pool whose `state_dict()` was `state`; the other arguments are the constructor's.

        Raises:
          ValueError: `state` holds a win rate against an opponent that is not in `named`.
        """
        pool = super().from_state_dict(
            state, opponent_config, named, max_checkpoints, max_exploiters, **options
        )
        pool.update_weights_from_win_rates(state["win_rates"])
        return pool

    def _total_named_share(self) -> float:
        if not self._win_rates:
            return super()._total_named_share()
        return self.opponent_config.random_weight + self.opponent_config.heuristic_weight

    def _named_shares(self) -> dict[str, float]:
        if not self._win_rates:
            return super()._named_shares()
        total = self._total_named_share()
        return {name: weight * total for name, weight in self.weights().items()}


def make_opponent_pool(config: Config, state: Mapping[str, Any] | None = None) -> OpponentPool:
    """The pool that a configuration asks for, restored from `state` where one is given.

    Without `use_opponent_pool` all games are self-play.
    """
    kind = AdaptiveOpponentPool if config.use_adaptive_weights else OpponentPool
    options: dict[str, Any] = {"max_exploiters": config.exploit_patch_max}
    if config.use_adaptive_weights:
        options["min_weight"] = config.min_opponent_weight
    opponent_config = config.opponent_config
    if not config.use_opponent_pool:
        opponent_config = OpponentConfig(1.0, 0.0, 0.0, 0.0, opponent_config.max_checkpoints)
    named = config.named_opponents
    if state is None:
        return kind(opponent_config, named, **options)
    return kind.from_state_dict(state, opponent_config, named, **options)


def _append(hashes: list[str], policy_hash: str, most: int) -> None:
    if policy_hash in hashes:
        hashes.remove(policy_hash)
    hashes.append(policy_hash)
    del hashes[: max(len(hashes) - most, 0)]


# ---------------------------------------------------------------------------------------------
# The games of an iteration
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Assignment:
    """Opponent and seat for each of G games.

    Attributes:
      keys: the opponents; "self" is the first.
      opponent_index: int32 [G], index into `keys`.
      learner_seat: uint8 [G], the seat (0 or 1) that the learner plays, BOTH_SEATS in self-play.
    """

    keys: tuple[str, ...]
    opponent_index: NDArray[np.int32]
    learner_seat: NDArray[np.uint8]

    def __len__(self) -> int:
        """The number of games, G."""
        return len(self.opponent_index)

    def take(self, games: NDArray[np.integer[Any]]) -> "Assignment":
        """The part of the assignment with the games of the given indices, in their order."""
        return Assignment(self.keys, self.opponent_index[games], self.learner_seat[games])


def assign_games(
    shares: Mapping[str, float], num_games: int, rng: np.random.Generator
) -> Assignment:
    """Gives every game its opponent and the learner's seat.

    Opponents get whole numbers of games by largest remainder (ties go to the earlier key), and
    the learner plays each seat in half of the games against an opponent, the odd one in a random
    seat. Self-play games come first, because with decisions in both seats they last the longest;
    the others follow in random order.

    Args:
      shares: part of the games for each opponent, non-negative, summing to 1.
      num_games: the number of games, G.
      rng: draws the odd seats and the order.

    Raises:
      ValueError: a share is negative, or they do not sum to 1 within 1e-6.
    """
    keys = (SELF_PLAY, *(key for key in shares if key != SELF_PLAY))
    counts = _whole_counts([shares.get(key, 0.0) for key in keys], num_games)
    opponent_index = np.repeat(np.arange(len(keys), dtype=np.int32), counts)
    learner_seat = np.full(num_games, BOTH_SEATS, dtype=np.uint8)
    stop = num_self_play = counts[0]
    for count in counts[1:]:
        start, stop = stop, stop + count
        seats = np.arange(count) % 2
        if count % 2:
            seats[-1] = rng.integers(2)
        learner_seat[start:stop] = seats
    order = np.arange(num_games)
    order[num_self_play:] = num_self_play + rng.permutation(num_games - num_self_play)
    return Assignment(keys, opponent_index[order], learner_seat[order])


def split_into_groups(assignment: Assignment, num_groups: int) -> list[NDArray[np.int32]]:
    """Splits the games into groups that each get their part of every opponent and seat.

    The numbers of games of two groups differ by at most one, and so do their numbers of games
    against each opponent, and in each seat against it.

    Returns:
      For each group the indices of its games in the assignment, int32, ascending: in the
      assignment's order, which puts the long games first.
    """
    dealt = np.lexsort((assignment.learner_seat, assignment.opponent_index))
    return [np.sort(dealt[group::num_groups]).astype(np.int32) for group in range(num_groups)]


def _whole_counts(shares: Sequence[float], num_games: int) -> list[int]:
    """Whole numbers in the proportion of `shares`, summing to `num_games`, by largest remainder."""
    total = math.fsum(shares)
    if not abs(total - 1.0) <= 1e-6 or min(shares) < 0:
        raise ValueError(f"shares of the games must be non-negative and sum to 1, not {shares!r}")
    quotas = [share / total * num_games for share in shares]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda index: counts[index] - quotas[index])
    for index in by_remainder[: num_games - sum(counts)]:
        counts[index] += 1
    return counts
