"""The learner of PPO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from bb_jax import Hyper, Trajectories, make_update
from train.config import LearningConfig
from train.games.deciders import NetworkDecider, SamplingSettings
from train.games.plan import GamePlan
from train.games.rollout import Rollout
from train.learning.learner import Learner


class PPOLearner(Learner):
    """Learns by PPO from the advantages of a rollout."""

    def __init__(
        self,
        config: LearningConfig,
        scoring: str,
        max_trajectories: int,
        devices: Sequence[jax.Device],
        num_hosts: int = 1,
    ):
        """Builds the functions; see `Learner`.

        Args:
          config: the network, PPO's coefficients and the rewards.
          scoring: the scoring that the network plays by.
          max_trajectories: an upper bound on each host's trajectories in an iteration.
          devices: this host's devices.
          num_hosts: the number of hosts.
        """
        super().__init__(config.network_config, scoring, devices, num_hosts)
        self._draw_reward = config.draw_reward
        self._update = make_update(
            self._network,
            config.ppo_config,
            max_trajectories,
            self._all_devices,
            margin_weight=config.margin_weight,
        )

    def decider(
        self, params: Any, members: Sequence[Any], settings: SamplingSettings, plan: GamePlan
    ) -> NetworkDecider:
        """The policies of the learner and the members."""
        return NetworkDecider(self._policy_step, self._place(params), members, settings)

    @partial(jax.profiler.annotate_function, name="update")
    def learn(
        self, state: Any, rollout: Rollout, hyper: Hyper, seed: Sequence[int]
    ) -> tuple[Any, dict[str, float]]:
        """Makes one iteration's update; see `Learner`."""
        trajectories = Trajectories(
            observations=rollout.observations,
            actions=rollout.actions,
            log_probs=rollout.log_probs,
            lengths=rollout.lengths,
            rewards=rollout.rewards_with(self._draw_reward),
        )
        words = np.random.SeedSequence(list(seed)).generate_state(2)
        state, metrics = self._update(state, trajectories, hyper, words)
        return state, {name: value.item() for name, value in jax.device_get(metrics).items()}
