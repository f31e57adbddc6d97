"""The plan of an iteration's games: opponents, seats, seeds, controllers, trajectories, groups.

`G` denotes games.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bb_sim import OPPONENTS
from train.config import RolloutConfig
from train.games.pool import CHECKPOINT_PREFIX, SELF_PLAY
from train.games.worker import FIRST_PYTHON_AGENT, external

LEARNER = 0
BOTH_SEATS = 2
NO_TRAJECTORY = -1


# ---------------------------------------------------------------------------------------------
# Opponents and seats
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Assignment:
    """The opponent and the learner's seat in each of G games.

    Attributes:
      keys: keys of the opponents; "self" is the first.
      opponent_index: int32 [G], index into `keys`.
      learner_seat: uint8 [G], the learner's seat (0 or 1), or BOTH_SEATS in self-play.
    """

    keys: tuple[str, ...]
    opponent_index: NDArray[np.int32]
    learner_seat: NDArray[np.uint8]

    def __len__(self) -> int:
        """The number of games, G."""
        return len(self.opponent_index)

    def take(self, games: NDArray[np.integer[Any]]) -> Assignment:
        """Selects the games with the given indices, in the order of the indices."""
        return Assignment(self.keys, self.opponent_index[games], self.learner_seat[games])


def assign_games(
    shares: Mapping[str, float], num_games: int, rng: np.random.Generator
) -> Assignment:
    """Gives every game its opponent and the learner's seat.

    Opponents get whole numbers of games by largest remainder; ties go to the earlier key. Against
    each opponent the learner plays each seat in half of the games; where their number is odd, the
    last game's seat is random. Self-play games come first, because they last the longest: both
    seats wait for the network. The other games follow in random order.

    Args:
      shares: the fraction of the games for each opponent, non-negative, summing to 1.
      num_games: the number of games, G.
      rng: draws the seats of odd games and the order.

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
    """Splits the games into groups of the same composition.

    Two groups differ by at most one game: in all, against each opponent, and in each seat against
    each opponent.

    Returns:
      For each group the indices of its games in the assignment, int32, ascending. The long games
      come first, as they do in the assignment.
    """
    dealt = np.lexsort((assignment.learner_seat, assignment.opponent_index))
    return [np.sort(dealt[group::num_groups]).astype(np.int32) for group in range(num_groups)]


def _whole_counts(shares: Sequence[float], num_games: int) -> list[int]:
    """Splits `num_games` in the proportions `shares` into whole numbers, by largest remainder."""
    total = math.fsum(shares)
    if not abs(total - 1.0) <= 1e-6 or min(shares) < 0:
        raise ValueError(f"shares of the games must be non-negative and sum to 1, not {shares!r}")
    quotas = [share / total * num_games for share in shares]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda index: counts[index] - quotas[index])
    for index in by_remainder[: num_games - sum(counts)]:
        counts[index] += 1
    return counts


# ---------------------------------------------------------------------------------------------
# The plan
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GamePlan:
    """The plan of G games, in the order of their groups.

    Attributes:
      opponents: keys of the opponents.
      opponent_index: int32 [G], index into `opponents`.
      learner_seat: uint8 [G], 0 or 1, or BOTH_SEATS in self-play.
      seeds: uint64 [G], the seed of each game.
      controllers: uint8 [G, 2], the arena's controller code of each seat.
      trajectories: int32 [G, 2], the index of each seat's trajectory in the rollout, NO_TRAJECTORY
        for seats that the learner does not play.
      group_bounds: int64 [groups + 1]; group g has the games from bound g up to bound g + 1.
    """

    opponents: tuple[str, ...]
    opponent_index: np.ndarray
    learner_seat: np.ndarray
    seeds: np.ndarray
    controllers: np.ndarray
    trajectories: np.ndarray
    group_bounds: np.ndarray

    @property
    def num_trajectories(self) -> int:
        """The number of trajectories, N."""
        return int(np.count_nonzero(self.trajectories != NO_TRAJECTORY))


def plan_games(
    shares: Mapping[str, float],
    *,
    num_games: int,
    num_groups: int,
    members: Sequence[str],
    python_agents: Sequence[str],
    seed: Sequence[int],
) -> GamePlan:
    """Plans the games of an iteration.

    Args:
      shares: the fraction of the games for each opponent key, summing to 1.
      num_games: the number of games, G.
      num_groups: the number of groups; their sizes differ by at most one game.
      members: hashes of the checkpoint opponents; member m is external policy 1 + m.
      python_agents: names of the Python agents, in the workers' order.
      seed: integers; the plan depends on them and the other arguments alone.
    """
    rng = np.random.default_rng(np.random.SeedSequence(list(seed)))
    assignment = assign_games(shares, num_games, rng)
    groups = split_into_groups(assignment, num_groups)
    games = assignment.take(np.concatenate(groups))
    codes = np.array([_controller(key, members, python_agents) for key in games.keys], np.uint8)

    controllers = np.full((num_games, 2), external(LEARNER), np.uint8)
    against = np.flatnonzero(games.learner_seat != BOTH_SEATS)
    other_seat = 1 - games.learner_seat[against].astype(np.int64)
    controllers[against, other_seat] = codes[games.opponent_index[against]]

    learns = np.ones((num_games, 2), bool)
    learns[against, other_seat] = False
    trajectories = np.full((num_games, 2), NO_TRAJECTORY, np.int32)
    trajectories[learns] = np.arange(learns.sum(), dtype=np.int32)

    return GamePlan(
        opponents=games.keys,
        opponent_index=games.opponent_index,
        learner_seat=games.learner_seat,
        seeds=rng.integers(2**64, size=num_games, dtype=np.uint64),
        controllers=controllers,
        trajectories=trajectories,
        group_bounds=np.cumsum([0, *map(len, groups)], dtype=np.int64),
    )


def _controller(key: str, members: Sequence[str], python_agents: Sequence[str]) -> int:
    if key == SELF_PLAY:
        return external(LEARNER)
    if key.startswith(CHECKPOINT_PREFIX):
        return external(1 + members.index(key.removeprefix(CHECKPOINT_PREFIX)))
    if key in OPPONENTS:
        return OPPONENTS.index(key)
    return external(FIRST_PYTHON_AGENT + python_agents.index(key))


# ---------------------------------------------------------------------------------------------
# Several hosts
# ---------------------------------------------------------------------------------------------


def groups_of_host(num_groups: int, host: int, hosts: int) -> range:
    """The groups that host number `host` plays; hosts differ by at most one group."""
    return range(num_groups * host // hosts, num_groups * (host + 1) // hosts)


def games_of_host(num_games: int, num_groups: int, host: int, hosts: int) -> int:
    """The number of games in a host's groups; see `split_into_groups`."""
    groups = groups_of_host(num_groups, host, hosts)
    return sum(-(-(num_games - group) // num_groups) for group in groups)


def share_of_host(plan: GamePlan, host: int, hosts: int) -> GamePlan:
    """The part of a plan that one host plays, with its trajectories numbered from 0.

    The order of trajectories is that of the whole plan. The rollouts of all hosts, concatenated,
    are the rollout of a host that plays alone.
    """
    groups = groups_of_host(len(plan.group_bounds) - 1, host, hosts)
    bounds = plan.group_bounds[groups.start : groups.stop + 1]
    games = slice(int(bounds[0]), int(bounds[-1]))
    trajectories = plan.trajectories[games].copy()
    learns = trajectories != NO_TRAJECTORY
    trajectories[learns] = np.arange(learns.sum(), dtype=np.int32)
    return GamePlan(
        opponents=plan.opponents,
        opponent_index=plan.opponent_index[games],
        learner_seat=plan.learner_seat[games],
        seeds=plan.seeds[games],
        controllers=plan.controllers[games],
        trajectories=trajectories,
        group_bounds=bounds - bounds[0],
    )


def host_trajectories(config: RolloutConfig, hosts: int) -> int:
    """An upper bound on each host's trajectories in an iteration, the same for all hosts."""
    if hosts == 1:
        return config.max_trajectories
    self_play = config.max_trajectories - config.games_per_iteration
    games_of_group = -(-config.games_per_iteration // config.groups)
    self_play_of_group = min(-(-self_play // config.groups), games_of_group)
    return -(-config.groups // hosts) * (games_of_group + self_play_of_group)


# ---------------------------------------------------------------------------------------------
# Results
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """The learner's results against one opponent."""

    games: int
    wins: int
    draws: int

    @property
    def win_rate(self) -> float:
        """Strict wins over games."""
        return self.wins / self.games


def records(plan: GamePlan, outcomes: np.ndarray) -> dict[str, Record]:
    """The learner's record against each opponent it met, without self-play.

    Args:
      plan: the plan of the games.
      outcomes: int8 [G], +1, 0 or -1 for seat 0.
    """
    result = {}
    own = np.where(plan.learner_seat == 1, -outcomes, outcomes)
    for index, key in enumerate(plan.opponents):
        played = own[plan.opponent_index == index]
        if key != SELF_PLAY and played.size:
            wins, draws = int((played == 1).sum()), int((played == 0).sum())
            result[key] = Record(games=played.size, wins=wins, draws=draws)
    return result
