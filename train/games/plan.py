"""The games of one iteration as the workers need them: seeds, controllers, trajectories, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bb_sim import OPPONENTS
from train.config import Config
from train.games.pool import (
    BOTH_SEATS,
    CHECKPOINT_PREFIX,
    SELF_PLAY,
    assign_games,
    split_into_groups,
)
from train.games.worker import FIRST_PYTHON_AGENT, external

LEARNER = 0
NO_TRAJECTORY = -1


@dataclass(frozen=True)
class GamePlan:
    """G games, in the order of their groups.

    Attributes:
      opponents: keys of the opponents.
      opponent_index: int32 [G], index into `opponents`.
      learner_seat: uint8 [G], 0 or 1, BOTH_SEATS in self-play.
      seeds: uint64 [G].
      controllers: uint8 [G, 2], the arena's controller of each seat.
      trajectories: int32 [G, 2], the rollout's trajectory of each seat, NO_TRAJECTORY for none.
      group_bounds: int64 [groups + 1], the games of group g are those from bound g to bound g + 1.
    """

    opponents: tuple[str, ...]
    opponent_index: np.ndarray
    learner_seat: np.ndarray
    seeds: np.ndarray
    controllers: np.ndarray
    trajectories: np.ndarray
    group_bounds: np.ndarray


def plan_games(
    shares: Mapping[str, float],
    *,
    num_games: int,
    num_groups: int,
    members: Sequence[str],
    python_agents: Sequence[str],
    seed: Sequence[int],
) -> GamePlan:
    """Gives every game of an iteration its opponent, seat, deal and place in the rollout.

    Args:
      shares: part of the games for each opponent key, summing to 1.
      num_games: G.
      num_groups: groups of equal size up to one game.
      members: hashes of the checkpoint opponents; member m is external policy 1 + m.
      python_agents: names of the Python agents, in the workers' order.
      seed: integers that the iteration's random choices and deals depend on alone.
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


def groups_of_host(num_groups: int, host: int, hosts: int) -> range:
    """The groups that one of several hosts plays: as many as the others, up to one."""
    return range(num_groups * host // hosts, num_groups * (host + 1) // hosts)


def games_of_host(num_games: int, num_groups: int, host: int, hosts: int) -> int:
    """The games in the groups of one of several hosts (`split_into_groups` deals them out)."""
    groups = groups_of_host(num_groups, host, hosts)
    return sum(-(-(num_games - group) // num_groups) for group in groups)


def share_of_host(plan: GamePlan, host: int, hosts: int) -> GamePlan:
    """The games of a plan that one of several hosts plays, with a rollout of their own.

    Its trajectories are those of the whole plan in the same order: the rollouts of all hosts, one
    after the other, are the rollout that one host alone would have made.
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


def host_trajectories(config: Config, hosts: int) -> int:
    """Most trajectories that one of several hosts can have in an iteration: one number for all."""
    if hosts == 1:
        return config.max_trajectories
    self_play = config.max_trajectories - config.games_per_iteration
    games_of_group = -(-config.games_per_iteration // config.groups)
    self_play_of_group = min(-(-self_play // config.groups), games_of_group)
    return -(-config.groups // hosts) * (games_of_group + self_play_of_group)


@dataclass(frozen=True)
class Record:
    """Games against one opponent, from the learner's side."""

    games: int
    wins: int
    draws: int

    @property
    def win_rate(self) -> float:
        """Strict wins over games."""
        return self.wins / self.games


def records(plan: GamePlan, outcomes: np.ndarray) -> dict[str, Record]:
    """The learner's record against each opponent met; games against itself are left out.

    Args:
      plan: the games.
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
