"""What the hosts of a run share: the opponents from disk, the games, the evaluations.

Host 0 alone reads and writes the run's folder. The other hosts run the same loop with a
`FollowerStore` and `FollowerMetrics` in place of the real ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bb_jax import Policy, build_network, load_policy, policy_hash
from eval.matches.match import MatchResult, play_pairings
from eval.matches.players import as_player
from train.config import Config, config_to_dict
from train.games.rollout import Rollout
from train.hosts.connected import HostError, Hosts
from train.metric_rows import GameSummary, Row
from train.runs.folder import RunFolder
from train.runs.metrics import MetricsWriter
from train.runs.steps import SavedState
from train.runs.store import RunStore


def gather_played(hosts: Hosts, rollout: Rollout) -> GameSummary:
    """Puts together what every host has played."""
    own = (rollout.outcomes, rollout.positions, rollout.seconds)
    outcomes, positions, seconds = zip(*hosts.gather(own), strict=True)
    return GameSummary(
        np.concatenate(outcomes),
        sum(positions),
        {name: max(each[name] for each in seconds) for name in seconds[0]},
    )


def evaluate_part(
    hosts: Hosts,
    policy: Any,
    opponents: Sequence[Any],
    games: int,
    seed: int,
    scoring: str,
) -> list[MatchResult]:
    """This host's part of the deals of `eval.matches.match.evaluate`, which has the same arguments.

    Results may be empty where there are fewer deals than hosts.
    """
    deals = games // 2
    first, last = (deals * (hosts.index + offset) // hosts.count for offset in (0, 1))
    player = as_player(policy, "policy")
    pairings = [(player, as_player(opponent, "opponent")) for opponent in opponents]
    if last > first:
        return play_pairings(pairings, 2 * (last - first), seed, scoring, first_deal=first)
    nothing = np.zeros((0, 2), np.int8)
    return [
        MatchResult(a.name, b.name, 0, 0, 0, 0, 0.0, (0.0, 1.0), 0.0, nothing, nothing)
        for a, b in pairings
    ]


def gather_evaluation(hosts: Hosts, part: Sequence[MatchResult]) -> list[MatchResult]:
    """The results that one host alone would have found, from the parts of all."""
    return [
        MatchResult.from_deals(
            results[0].player,
            results[0].opponent,
            np.concatenate([result.margins for result in results]),
            np.concatenate([result.outcomes for result in results]),
        )
        for results in zip(*hosts.gather(list(part)), strict=True)
    ]


# Keys of the configuration that may differ from host to host.
_OWN_KEYS = ("device", "async_num_workers", "checkpoint_dir", "experiment_name")


def check_hosts(hosts: Hosts, config: Config, num_devices: int) -> None:
    """Sees to it that the hosts can train together.

    Args:
      hosts: this host and the others.
      config: this host's configuration.
      num_devices: this host's devices.

    Raises:
      HostError: there are more hosts than groups of games, or one differs from host 0.
    """
    if hosts.count > config.groups:
        raise HostError(
            f"{hosts.count} hosts cannot share {config.groups} groups of games: num_groups must be "
            "at least the number of hosts"
        )
    own = {key: value for key, value in config_to_dict(config).items() if key not in _OWN_KEYS}
    everywhere = hosts.gather(own | {"the number of devices": num_devices})
    for other, found in enumerate(everywhere):
        for key, expected in everywhere[0].items():
            if found[key] != expected:
                raise HostError(
                    f"{key} is {expected!r} on host 0 and {found[key]!r} on host {other}"
                )


class LeaderStore(RunStore):
    """The store of host 0, which hands the opponents that it reads to the others."""

    def __init__(self, config: Config, hosts: Hosts):
        super().__init__(config)
        self._hosts = hosts

    def opponent(self, policy_hash: str) -> Policy:
        read = super().opponent
        policy = self._hosts.share(lambda: _without_network(read(policy_hash)))
        return _with_network(policy)

    def teacher(self) -> Policy | None:
        if self._config.expert_config.teacher is None:
            return None
        path = self.folder.teacher
        policy = self._hosts.share(lambda: _without_network(load_policy(path)))
        return _with_network(policy)


class FollowerStore(RunStore):
    """The store of every other host: it touches no disk."""

    def __init__(self, config: Config, hosts: Hosts):
        self._config = config
        self._hosts = hosts
        self.folder = RunFolder(config.run_dir)

    def add_opponent(self, params: Any) -> str:
        return policy_hash(params)

    def opponent(self, policy_hash: str) -> Policy:
        policy: dict[str, Any] = self._hosts.share(dict)
        return _with_network(policy)

    def teacher(self) -> Policy | None:
        if self._config.expert_config.teacher is None:
            return None
        policy: dict[str, Any] = self._hosts.share(dict)
        return _with_network(policy)

    def save(self, saved: SavedState, mean_win_rate: float | None) -> None:
        pass

    def wait(self) -> None:
        pass

    def note_configuration(self) -> None:
        pass

    def note_in_manifest(
        self,
        step: int,
        results: Sequence[MatchResult] = (),
        *,
        params: Any = None,
        seed: int = 0,
        source: str = "training",
    ) -> None:
        pass

    def note_failed_evaluation(self, step: int, why: str) -> None:
        pass

    def note_final_evaluation(self, iteration: int, results: Sequence[MatchResult]) -> None:
        pass

    def close(self) -> None:
        pass


def _without_network(policy: Policy) -> dict[str, Any]:
    fields = policy._asdict()
    del fields["network"]
    return fields


def _with_network(fields: dict[str, Any]) -> Policy:
    return Policy(network=build_network(fields["network_config"], fields["scoring"]), **fields)


class FollowerMetrics(MetricsWriter):
    """The metrics of every host but the first: they are written nowhere, warnings to the screen."""

    def __init__(self) -> None:
        self.log = logging.Logger("training", level=logging.WARNING)
        self.log.addHandler(logging.StreamHandler())

    def write(self, row: Mapping[str, Any]) -> Row:
        return dict(row)

    def cut_back(self, iteration: int) -> int:
        return 0

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass
