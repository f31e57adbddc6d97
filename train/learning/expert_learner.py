"""The learner of expert iteration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import numpy as np

from bb_jax import Hyper, LearnerState, Policy
from bb_jax.errors import DeviceError
from bb_jax.expert.step import make_expert_step
from bb_jax.expert.update import Lessons, make_expert_update
from bb_jax.networks.network import Network
from bb_jax.search import Search, parse_search
from eval.matches.search_session import SearchSession
from train.config import LearningConfig
from train.games.deciders import SamplingSettings
from train.games.expert_deciders import ExpertDecider
from train.games.plan import GamePlan
from train.games.rollout import Rollout
from train.learning.learner import Learner, for_any_batch
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


class ExpertLearner(Learner):
    """Learns by expert iteration: from the expert's choices and values, out of a replay buffer."""

    def __init__(
        self,
        config: LearningConfig,
        scoring: str,
        buffer_size: int,
        max_positions: int,
        devices: Sequence[jax.Device],
        num_hosts: int = 1,
        gather: Gather = alone,
        teacher: Policy | None = None,
    ):
        """Builds the functions; see `Learner`.

        Args:
          config: the network, the expert and the rewards.
          scoring: the scoring that the network plays by.
          buffer_size: the capacity of the replay buffer, in positions.
          max_positions: an upper bound on the positions of all hosts in an iteration.
          devices: this host's devices.
          num_hosts: the number of hosts.
          gather: collects the lessons of all hosts.
          teacher: the policy that plays as the expert in place of the network that learns.

        Raises:
          DeviceError: a minibatch cannot be spread evenly over the devices.
        """
        super().__init__(config.network_config, scoring, devices, num_hosts)
        expert = config.expert_config
        self._expert_config = expert
        self._margin_weight, self._draw_reward = config.margin_weight, config.draw_reward
        self._buffer_size, self._max_positions = buffer_size, max_positions
        self._gather = gather
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
        searched = parse_search(expert.search).replace(
            margin_weight=self._margin_weight,
            draw_reward=self._draw_reward,
        )
        # Without samples the expert step evaluates the afterstates itself.
        self._search = Search(expert_network, searched) if searched.samples else None
        self._expert_update = make_expert_update(
            self._network,
            expert,
            self._all_devices,
            margin_weight=self._margin_weight,
            draw_reward=self._draw_reward,
        )

    def _make_step(self, network: Network) -> Any:
        step = make_expert_step(
            network,
            self._margin_weight,
            self._draw_reward,
            self._expert_config.policy_temperature,
            self._inference_devices,
        )
        return for_any_batch(step, len(self._inference_devices), axis=0)

    def decider(
        self, params: Any, members: Sequence[Any], settings: SamplingSettings, plan: GamePlan
    ) -> ExpertDecider:
        """The expert, by the values of the network or of its teacher."""
        expert = self._place(params) if self._teacher is None else self._teacher
        session = None
        if self._search is not None:
            session = SearchSession(self._search, expert, plan.seeds, plan.controllers)
        return ExpertDecider(
            self._expert_step, expert, self._member_step, members, settings, plan, session
        )

    @partial(jax.profiler.annotate_function, name="update")
    def learn(
        self, state: ExpertState, rollout: Rollout, hyper: Hyper, seed: Sequence[int]
    ) -> tuple[ExpertState, dict[str, float]]:
        """Adds the rollout to the replay buffer and learns from samples of it; see `Learner`.

        Every host's buffer holds the positions of all hosts.
        """
        expert, record = self._expert_config, rollout.expert
        assert record is not None
        inside = np.arange(record.best.shape[1]) < rollout.lengths[:, None]
        own = lessons_of(rollout, expert.td_lambda, self._draw_reward)
        parts = self._gather((own, record.best[inside]))
        lessons = Lessons(*map(np.concatenate, zip(*(part for part, _ in parts), strict=True)))
        replay = state.replay.with_lessons(lessons, self._buffer_size)
        size = expert.minibatch_size
        steps = max(1, round(expert.reuse * len(lessons.observations) / size))
        most = max(steps, math.ceil(expert.reuse * self._max_positions / size))
        random = np.random.default_rng(list(seed))
        drawn = replay.sample(steps * size, random, most * size)
        batches = Lessons(*(leaf.reshape(most, size, *leaf.shape[1:]) for leaf in drawn))
        learner, metrics = self._expert_update(state.learner, batches, steps, hyper)
        row = {name: value.item() for name, value in jax.device_get(metrics).items()}
        best = np.concatenate([part for _, part in parts])
        row["train/best_action_share"] = float(best.mean())
        row["train/replay_positions"] = len(replay)
        return ExpertState(learner, replay), row

    def initial_arrays(self, seed: int) -> dict[str, Any]:
        """The arrays of random parameters, a fresh optimizer and an empty replay buffer."""
        return super().initial_arrays(seed) | {"replay": {}}

    def arrays_of(self, state: ExpertState) -> dict[str, Any]:
        """Copies a state to numpy arrays: "learner" and "replay"."""
        return super().arrays_of(state.learner) | {"replay": state.replay.to_arrays()}

    def state_of(self, arrays: Mapping[str, Any], what: str) -> ExpertState:
        """Copies the arrays of a state to the devices; see `Learner`."""
        replay = Replay.from_arrays(arrays.get("replay", {}))
        return ExpertState(super().state_of(arrays, what), replay)
