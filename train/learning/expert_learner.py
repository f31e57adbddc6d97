"""The learner's side of expert iteration: the expert that acts, the replay buffer, the update."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import numpy as np

from bb_jax import Hyper, LearnerState, Policy
from bb_jax.arrays import to_arrays
from bb_jax.errors import DeviceError
from bb_jax.expert.step import make_expert_step
from bb_jax.expert.update import Lessons, make_expert_update
from bb_jax.networks.network import Network
from bb_jax.search import Search, parse_search
from eval.matches.search_session import SearchSession
from train.config import Config
from train.games.deciders import Acting, ActingSettings
from train.games.expert_deciders import ExpertActing
from train.games.plan import GamePlan
from train.games.rollout import Rollout
from train.learning.learner import Learning, for_any_batch
from train.learning.replay import Replay, lessons_of

T = TypeVar("T")


class Gather(Protocol):
    """Collects the values that all hosts give in the same call, by host."""

    def __call__(self, value: T) -> list[T]: ...


def alone(value: T) -> list[T]:
    """Collects the value of a host that trains alone."""
    return [value]


class ExpertState(NamedTuple):
    """The learner's state on the devices, and the replay buffer on the host."""

    learner: LearnerState
    replay: Replay


class ExpertLearning(Learning):
    """Expert iteration in the place of PPO."""

    def __init__(
        self,
        config: Config,
        devices: Sequence[jax.Device],
        num_hosts: int = 1,
        gather: Gather = alone,
        teacher: Policy | None = None,
    ):
        """See `Learning`.

        Args:
          config: `expert_config` is used, too.
          devices: see `Learning`.
          num_hosts: see `Learning`.
          gather: brings together the lessons of all hosts.
          teacher: plays as the expert in place of the network that learns.
        """
        super().__init__(config, devices, num_hosts)
        self._gather = gather
        expert = config.expert_config
        self._teacher = None if teacher is None else self._place(teacher.params)
        expert_network = self._network if teacher is None else teacher.network
        self._member_step = self._make_step(self._network)
        self._expert_step = (
            self._member_step if teacher is None else self._make_step(expert_network)
        )
        if expert.minibatch_size % len(self._all_devices):
            raise DeviceError(
                f"expert_config.minibatch_size ({expert.minibatch_size}) cannot be spread evenly "
                f"over {len(self._all_devices)} devices"
            )
        searched = dataclasses.replace(
            parse_search(expert.search),
            margin_weight=config.margin_weight,
            draw_reward=config.draw_reward,
        )
        # Without samples the expert step itself judges the afterstates.
        self._search = Search(expert_network, searched) if searched.samples else None
        self._expert_update = make_expert_update(
            self._network,
            expert,
            self._all_devices,
            margin_weight=config.margin_weight,
            draw_reward=config.draw_reward,
        )

    def _make_step(self, network: Network) -> Any:
        step = make_expert_step(
            network,
            self._config.margin_weight,
            self._config.draw_reward,
            self._config.expert_config.policy_temperature,
            self._acting_devices,
        )
        return for_any_batch(step, len(self._acting_devices), axis=0)

    def acting(
        self, params: Any, members: Sequence[Any], settings: ActingSettings, plan: GamePlan
    ) -> Acting:
        """The expert, with the values of the network or of its teacher, in the games of a plan."""
        expert = self._place(params) if self._teacher is None else self._teacher
        session = None
        if self._search is not None:
            session = SearchSession(self._search, expert, plan.seeds, plan.controllers)
        return ExpertActing(
            self._expert_step,
            expert,
            self._member_step,
            members,
            settings,
            plan.trajectories,
            self._trajectories,
            session,
        )

    @partial(jax.profiler.annotate_function, name="update")
    def learn(
        self, state: ExpertState, rollout: Rollout, hyper: Hyper, seed: Sequence[int]
    ) -> tuple[ExpertState, dict[str, float]]:
        """One iteration's update, from the replay buffer with the rollout's positions in it.

        Every host's buffer holds the positions of all hosts.
        """
        config, expert = self._config, self._config.expert_config
        record = rollout.expert
        assert record is not None
        inside = np.arange(record.best.shape[1]) < rollout.lengths[:, None]
        own = lessons_of(rollout, expert.td_lambda, config.draw_reward)
        parts = self._gather((own, record.best[inside]))
        lessons = Lessons(*map(np.concatenate, zip(*(part for part, _ in parts), strict=True)))
        replay = state.replay.with_lessons(lessons, config.buffer_size)
        size = expert.minibatch_size
        steps = max(1, round(expert.reuse * len(lessons.observations) / size))
        most = max(steps, math.ceil(expert.reuse * config.max_positions / size))
        random = np.random.default_rng(list(seed))
        drawn = replay.sample(steps * size, random, most * size)
        batches = Lessons(*(leaf.reshape(most, size, *leaf.shape[1:]) for leaf in drawn))
        learner, metrics = self._expert_update(state.learner, batches, steps, hyper)
        measured = {name: value.item() for name, value in jax.device_get(metrics).items()}
        best = np.concatenate([part for _, part in parts])
        measured["train/best_action_share"] = float(best.mean())
        measured["train/replay_positions"] = len(replay)
        return ExpertState(learner, replay), measured

    def start(self, seed: int) -> dict[str, Any]:
        """The arrays of random parameters, with an empty replay buffer."""
        return {"learner": to_arrays(self.fresh_state(seed)), "replay": {}}

    def arrays_of(self, state: ExpertState) -> dict[str, Any]:
        """The state as numpy arrays: "learner" and "replay"."""
        return {"learner": to_arrays(state.learner), "replay": state.replay.to_arrays()}

    def state_of(self, arrays: Mapping[str, Any], what: str) -> ExpertState:
        """The state of `arrays_of`; errors as of `Learning.state_of`."""
        replay = Replay.from_arrays(arrays.get("replay", {}))
        return ExpertState(super().state_of(arrays, what), replay)
