"""The learner's side on the device: compiled functions, states, and what moves to the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bb_jax import (
    Hyper,
    LearnerState,
    Policy,
    Trajectories,
    build_network,
    init_state,
    make_policy_step,
    make_update,
)
from bb_jax.arrays import from_arrays, to_arrays
from bb_jax.devices import devices_of_all_hosts
from bb_sim import OBSERVATION_SIZE
from train.config import Config
from train.games.deciders import Acting, ActingSettings
from train.games.plan import GamePlan, host_trajectories
from train.games.rollout import Rollout

# Rows of one forward pass in evaluations, over all devices.
_EVALUATION_BATCH = 1024


class Learning:
    """Networks and updates of one configuration, compiled once for every state they are used on."""

    def __init__(self, config: Config, devices: Sequence[jax.Device], num_hosts: int = 1):
        """Builds the functions; they compile when first called.

        Args:
          config: network, PPO coefficients, scoring and sizes are used.
          devices: local devices to spread learning over, and on GPUs inference. On CPUs its
            batches are small, and one device divides their operations well enough.
          num_hosts: each of several hosts makes its own `Learning` and calls `learn` with its own
            part of the games; every update is spread over the devices of all hosts.
        """
        self._config = config
        self._trajectories = host_trajectories(config, num_hosts)
        all_devices = devices if num_hosts == 1 else devices_of_all_hosts()
        self._network = build_network(config.network_config, config.scoring)
        self._acting_devices = list(devices[:1] if devices[0].platform == "cpu" else devices)
        self._policy_step = for_any_batch(
            make_policy_step(self._network, self._acting_devices), len(self._acting_devices), axis=1
        )
        self._update = make_update(
            self._network,
            config.ppo_config,
            self._trajectories,
            all_devices,
            margin_weight=config.margin_weight,
        )
        self._all_devices = all_devices
        self._learning_placement = _everywhere_on(devices)
        self._acting_placement = _everywhere_on(self._acting_devices)
        self._template = jax.eval_shape(lambda: self.fresh_state(0))

    def fresh_state(self, seed: int) -> LearnerState:
        """Random parameters and an untouched optimizer."""
        return init_state(self._network, seed)

    def start(self, seed: int) -> dict[str, Any]:
        """The arrays of a fresh state."""
        return {"learner": to_arrays(self.fresh_state(seed))}

    def arrays_of(self, state: Any) -> dict[str, Any]:
        """A state as numpy arrays of its own: under "learner" its parameters and optimizer."""
        return {"learner": to_arrays(state)}

    def state_of(self, arrays: Mapping[str, Any], what: str) -> Any:
        """The state whose `arrays_of` these are, on the devices, with memory of its own.

        Raises:
          CheckpointError: they belong to another architecture; `what` is named.
        """
        # A copy of its own: the update donates the state, and a CPU device may use host memory.
        learner = from_arrays(self._template, arrays["learner"], what)
        state = jax.tree.map(np.array, learner)
        return jax.device_put(state, self._learning_placement)

    def untouched(self, params: Any) -> dict[str, Any]:
        """The arrays of a fresh state with these parameters."""
        arrays = self.start(0)
        return arrays | {"learner": arrays["learner"] | {"params": to_arrays(params)}}

    def params_of(self, arrays: dict[str, Any], what: str) -> Any:
        """Parameters that act, from their arrays; errors as in `state_of`."""
        return self._place(from_arrays(self._template.params, arrays, what))

    @partial(jax.profiler.annotate_function, name="update")
    def learn(
        self, state: Any, rollout: Rollout, hyper: Hyper, seed: Sequence[int]
    ) -> tuple[Any, dict[str, float]]:
        """One iteration's update.

        Args:
          state: donated; not to be used afterwards.
          rollout: the iteration's games.
          hyper: coefficients of this iteration.
          seed: integers that permutations and dropout depend on alone.

        Returns:
          The new state, on the devices, and the metrics, on the host.
        """
        trajectories = Trajectories(
            observations=rollout.observations,
            actions=rollout.actions,
            log_probs=rollout.log_probs,
            lengths=rollout.lengths,
            rewards=rollout.rewards_with(self._config.draw_reward),
        )
        words = np.random.SeedSequence(list(seed)).generate_state(2)
        state, metrics = self._update(state, trajectories, hyper, words)
        return state, {name: value.item() for name, value in jax.device_get(metrics).items()}

    def acting(
        self, params: Any, members: Sequence[Any], settings: ActingSettings, plan: GamePlan
    ) -> Acting:
        """The networks that play an iteration's games.

        Args:
          params: of the learner; arrays on the host or the devices that nobody changes meanwhile.
          members: parameters of the checkpoint opponents, from `member`.
          settings: how they choose.
          plan: the games.
        """
        return Acting(self._policy_step, self._place(params), members, settings)

    def member(self, policy: Policy, what: str) -> Any:
        """The parameters of a checkpoint opponent, which must be of the learner's architecture."""
        return self.params_of(to_arrays(policy.params), what)

    def greedy(self, params: Any) -> Callable[[np.ndarray], np.ndarray]:
        """The best action: observations uint8 [B, 19] -> actions uint8 [B], for any B."""
        placed = self._place(params)
        key = np.zeros(2, np.uint32)

        def act(observations: np.ndarray) -> np.ndarray:
            actions = np.zeros(len(observations), np.uint8)
            for start in range(0, len(observations), _EVALUATION_BATCH):
                rows = observations[start : start + _EVALUATION_BATCH]
                padded = np.zeros((_EVALUATION_BATCH, OBSERVATION_SIZE), np.uint8)
                padded[: len(rows)] = rows
                packed = jax.device_get(self._policy_step(placed, padded, key, 1.0, 0))
                actions[start : start + len(rows)] = packed[0, : len(rows)]
            return actions

        return act

    def _place(self, params: Any) -> Any:
        """Parameters where they act."""
        return jax.device_put(params, self._acting_placement)


def _everywhere_on(devices: Sequence[jax.Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices), ("d",)), PartitionSpec())


def for_any_batch(step: Any, num_devices: int, axis: int) -> Any:
    """A policy step for batches of any size: they are filled up to a multiple of the devices.

    Args:
      step: the policy step.
      num_devices: that it is spread over.
      axis: of its results that runs over the rows.
    """

    def padded_step(
        params: Any,
        observations: np.ndarray,
        key: Any,
        temperature: Any,
        sampled_plies: Any,
        *of_rows: np.ndarray | None,
    ) -> Any:
        rows = len(observations)
        missing = -rows % num_devices

        def padded(array: np.ndarray | None) -> np.ndarray | None:
            if array is None or not missing:
                return array
            return np.pad(array, ((0, missing), (0, 0)))

        others = map(padded, of_rows)
        result = step(params, padded(observations), key, temperature, sampled_plies, *others)
        if missing:
            # Unlike an index, its bounds are not transferred.
            result = jax.tree.map(
                lambda leaf: jax.lax.slice_in_dim(leaf, 0, rows, axis=axis), result
            )
        return result

    return padded_step
