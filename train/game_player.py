"""From what an iteration's games come of to the games: plan, networks, workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from train.config import Config
from train.games.deciders import ALL_PLIES, ActingSettings
from train.games.generator import Generator
from train.games.plan import GamePlan, groups_of_host, plan_games, share_of_host
from train.games.rollout import Rollout
from train.hosts.connected import Hosts
from train.interrupt import Task
from train.learning.learner import Learning
from train.runs.state import GameSource
from train.runs.store import RunStore
from train.schedules import get_temperature

Games = tuple[GamePlan, Rollout]


class GamePlayer:
    """Begins the games of iterations; keeps the checkpoint opponents in use on the device."""

    def __init__(
        self,
        config: Config,
        learning: Learning,
        generator: Generator,
        store: RunStore,
        hosts: Hosts,
    ):
        self._config = config
        self._hosts = hosts
        self._learning = learning
        self._generator = generator
        self._store = store
        self._members: dict[str, Any] = {}

    def begin(
        self,
        source: GameSource,
        acting_params: Any,
        temperature: float,
        seed: Sequence[int],
    ) -> Task[Games]:
        """Has an iteration's games played in the background, one iteration at a time.

        Args:
          source: shares and members.
          acting_params: of the learner while it plays; on the host.
          temperature: at which networks sample.
          seed: integers that the games depend on alone.

        Returns:
          The plan of all games, and the rollout of those that this host plays.
        """
        hosts = self._hosts
        plan = plan_games(
            source.shares,
            num_games=self._config.games_per_iteration,
            num_groups=self._config.groups,
            members=source.members,
            python_agents=self._config.python_agents,
            seed=(*seed, 0),
        )
        own = plan
        if hosts.count > 1:
            own = share_of_host(plan, hosts.index, hosts.count)
        self._members = {name: self._member(name) for name in source.members}
        acting = self._learning.acting(
            acting_params,
            list(self._members.values()),
            ActingSettings(
                seed=(*seed, 1),
                temperature=temperature,
                sampled_plies=sampled_plies(self._config),
                first_group=groups_of_host(self._config.groups, hosts.index, hosts.count).start,
            ),
            own,
        )
        return Task(lambda: (plan, self._generator.generate(own, acting)))

    def _member(self, policy_hash: str) -> Any:
        if policy_hash in self._members:
            return self._members[policy_hash]
        return self._learning.member(self._store.opponent(policy_hash), f"opponent {policy_hash}")


def sampled_plies(config: Config) -> int:
    """Plies of a game whose actions are sampled; the best action is played after them."""
    return ALL_PLIES if config.temp_threshold is None else config.temp_threshold


def temperature_of(config: Config, iteration: int, start_iteration: int) -> float:
    """The temperature at which the games of an iteration are sampled."""
    return get_temperature(
        iteration - 1 - start_iteration,
        config.total_iterations - start_iteration,
        config.temperature_start,
        config.temperature_end,
        config.temperature_schedule,
    )
