"""What both learners share: the network, states and policies on the devices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bb_jax import (
    Hyper,
    LearnerState,
    NetworkConfig,
    Policy,
    build_network,
    init_state,
    make_policy_step,
)
from bb_jax.arrays import all_finite, from_arrays, to_arrays
from bb_jax.batches import in_batches, pad_rows
from bb_jax.devices import devices_of_all_hosts
from bb_jax.errors import CheckpointError
from bb_sim import OBSERVATION_SIZE
from bb_sim.rules.engine import NUM_PLIES
from train.games.deciders import NetworkDecider, SamplingSettings
from train.games.plan import GamePlan
from train.games.rollout import Rollout

# Rows of one forward pass in evaluations, over all devices.
_EVALUATION_BATCH = 1024


class Learner(ABC):
    """Compiled functions of one network: its updates, and the policies that play with it."""

    def __init__(
        self,
        network_config: NetworkConfig,
        scoring: str,
        devices: Sequence[jax.Device],
        num_hosts: int = 1,
    ):
        """Builds the functions, which compile when they are first called.

        Args:
          network_config: the configuration of the network.
          scoring: the scoring that the network plays by.
          devices: this host's devices. Updates are spread over them, and on GPUs inference, too. On
            CPUs the batches of inference are small, and one device is fast enough.
          num_hosts: the number of hosts. Each has its own `Learner`. It calls `learn` with its part
            of the games. Every update is spread over the devices of all hosts.
        """
        self._network = build_network(network_config, scoring)
        self._all_devices = devices if num_hosts == 1 else devices_of_all_hosts()
        self._inference_devices = list(devices[:1] if devices[0].platform == "cpu" else devices)
        self._policy_step = for_any_batch(
            make_policy_step(self._network, self._inference_devices),
            len(self._inference_devices),
            axis=1,
        )
        self._learning_placement = _replicated_on(devices)
        self._inference_placement = _replicated_on(self._inference_devices)
        self._template = jax.eval_shape(lambda: self._fresh_state(0))

    @abstractmethod
    def learn(
        self, state: Any, rollout: Rollout, hyper: Hyper, seed: Sequence[int]
    ) -> tuple[Any, dict[str, float]]:
        """Makes one iteration's update.

        Args:
          state: the learner's state. It is donated and must not be used afterwards.
          rollout: this host's games.
          hyper: the coefficients of this iteration.
          seed: integers that all random choices depend on.

        Returns:
          The new state, on the devices, and the metrics, on the host.
        """

    @abstractmethod
    def decider(
        self, params: Any, members: Sequence[Any], settings: SamplingSettings, plan: GamePlan
    ) -> NetworkDecider:
        """Makes the decider of an iteration's games.

        Args:
          params: the learner's parameters, on the host or the devices. Nobody may change them
            meanwhile.
          members: the parameters of the checkpoint opponents, from `member_params`.
          settings: how actions are chosen.
          plan: the games.
        """

    def initial_arrays(self, seed: int) -> dict[str, Any]:
        """The arrays of a state with random parameters and a fresh optimizer."""
        return {"learner": to_arrays(self._fresh_state(seed))}

    def arrays_of(self, state: Any) -> dict[str, Any]:
        """Copies a state to numpy arrays: under "learner" its parameters and optimizer."""
        return {"learner": to_arrays(state)}

    def state_of(self, arrays: Mapping[str, Any], what: str) -> Any:
        """Copies the arrays of a state to the devices; the inverse of `arrays_of`.

        Args:
          arrays: the arrays of the state.
          what: the name of the state in error messages.

        Raises:
          CheckpointError: the state belongs to another architecture, or has diverged.
        """
        # The update donates the state, and a CPU device may use host memory: so this is a copy.
        state = from_arrays(self._template, arrays["learner"], what)
        if not all_finite(state.params):
            raise CheckpointError(f"{what} has parameters that are not finite numbers")
        return jax.device_put(jax.tree.map(np.array, state), self._learning_placement)

    def fresh_arrays(self, params: Any) -> dict[str, Any]:
        """The arrays of a state with these parameters and a fresh optimizer."""
        arrays = self.initial_arrays(0)
        return arrays | {"learner": arrays["learner"] | {"params": to_arrays(params)}}

    def member_params(self, policy: Policy, what: str) -> Any:
        """Places the parameters of a checkpoint opponent for inference.

        Args:
          policy: the opponent, which must have the learner's architecture.
          what: its name in error messages.

        Raises:
          CheckpointError: it has another architecture.
        """
        params = from_arrays(self._template.params, to_arrays(policy.params), what)
        return self._place(params)

    def greedy(self, params: Any) -> Callable[[np.ndarray], np.ndarray]:
        """Makes the policy that plays the best action.

        Args:
          params: the network's parameters.

        Returns:
          A function from observations, uint8 [B, 19] for any B, to actions, uint8 [B].
        """
        placed = self._place(params)
        key = np.zeros(2, np.uint32)

        def best_actions(rows: np.ndarray) -> jax.Array:
            packed = self._policy_step(placed, rows, key, 1.0, 0)
            return jax.lax.index_in_dim(packed, 0, axis=0, keepdims=False)

        def act(observations: np.ndarray) -> np.ndarray:
            actions = np.empty(len(observations), np.uint8)
            return in_batches(best_actions, [observations], [_EVALUATION_BATCH], actions)

        return act

    def outputs_are_finite(self, params: Any, rollout: Rollout) -> bool:
        """Whether a network's policy is finite for decisions of a rollout.

        Args:
          params: the network's parameters.
          rollout: its first decisions are looked at, one batch of an evaluation.
        """
        games = rollout.observations[:_EVALUATION_BATCH]
        rows = np.zeros((_EVALUATION_BATCH, OBSERVATION_SIZE), np.uint8)
        rows[: len(games)] = games[:, 0]
        packed = self._policy_step(
            self._place(params), rows, np.zeros(2, np.uint32), 1.0, NUM_PLIES
        )
        log_probs = jax.device_get(packed)[1].view(np.float32)
        return bool(np.isfinite(log_probs).all())

    def _fresh_state(self, seed: int) -> LearnerState:
        return init_state(self._network, seed)

    def _place(self, params: Any) -> Any:
        """Copies parameters to the devices of inference."""
        return jax.device_put(params, self._inference_placement)


def _replicated_on(devices: Sequence[jax.Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices), ("d",)), PartitionSpec())


def for_any_batch(step: Any, num_devices: int, axis: int) -> Any:
    """Makes a policy step that pads its batches to a multiple of the devices.

    Args:
      step: the policy step.
      num_devices: the number of devices that it is spread over.
      axis: the axis of its results that runs over the rows.
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
        size = rows + -rows % num_devices
        others = [None if array is None else pad_rows(array, size) for array in of_rows]
        padded = pad_rows(observations, size)
        result = step(params, padded, key, temperature, sampled_plies, *others)
        if size > rows:
            # The bounds of an index would be transferred to the device, but not these.
            result = jax.tree.map(
                lambda leaf: jax.lax.slice_in_dim(leaf, 0, rows, axis=axis), result
            )
        return result

    return padded_step
