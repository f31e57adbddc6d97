"""What a run stores, where several hosts train it: host 0 reads and writes for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bb_jax import Policy, build_network, policy_hash
from eval.matches.match import MatchResult
from eval.runs.metrics_file import Row
from train.config import Config
from train.hosts.base import Hosts
from train.runs.steps import SavedState, TrainingSteps
from train.runs.store import RunStore


class LeaderStore(RunStore):
    """The store of host 0, which sends every policy that it reads to the other hosts."""

    def __init__(self, config: Config, hosts: Hosts):
        """Takes the run's folder; errors as in `RunStore`."""
        super().__init__(config)
        self._hosts = hosts

    def opponent(self, policy_hash: str) -> Policy:
        read = super().opponent
        return _share_policy(self._hosts, lambda: read(policy_hash))

    def teacher(self) -> Policy:
        return _share_policy(self._hosts, super().teacher)


class FollowerStore:
    """The `Store` of every other host: it receives policies from host 0 and writes nothing."""

    def __init__(self, hosts: Hosts):
        self._hosts = hosts

    def add_opponent(self, params: Any) -> str:
        return policy_hash(params)

    def opponent(self, policy_hash: str) -> Policy:
        return _share_policy(self._hosts, _never)

    def teacher(self) -> Policy:
        return _share_policy(self._hosts, _never)

    def exploiter_steps(self, iteration: int) -> TrainingSteps | None:
        return None

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


class FollowerMetrics:
    """The `Metrics` of every host but the first: warnings go to standard error, rows nowhere."""

    def __init__(self) -> None:
        self.log = logging.Logger("training", level=logging.WARNING)
        self.log.addHandler(logging.StreamHandler())

    def __enter__(self) -> FollowerMetrics:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def cut_back(self, iteration: int) -> None:
        pass

    def write(self, row: Mapping[str, Any]) -> Row:
        return dict(row)


def _share_policy(hosts: Hosts, read: Callable[[], Policy]) -> Policy:
    """A policy that host 0 reads; every host builds its network itself, for it does not pickle."""
    fields = hosts.share(lambda: _without_network(read()))
    return Policy(network=build_network(fields["network_config"], fields["scoring"]), **fields)


def _without_network(policy: Policy) -> dict[str, Any]:
    fields = policy._asdict()
    del fields["network"]
    return fields


def _never() -> Policy:
    raise AssertionError("host 0 alone reads")
