"""A network's values and policies for any number of rows.

`U` denotes rows, `E` afterstates, `A` the 33 actions.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax.batches import in_batches
from bb_jax.features import decided, legal_mask
from bb_jax.networks.distributions import masked_log_softmax
from bb_jax.networks.network import Network, Params, evaluate, objective, values_or_results
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_ACTIONS
from bb_sim.rules.observation import OBSERVATION_SIZE, legal_mask_of

# Rows of the forward passes, the largest first. Each size is compiled once.
BATCH_SIZES = (8192, 1024, 256)


class RowEvaluator:
    """Values and policies of rows by a network."""

    def __init__(
        self,
        network: Network,
        margin_weight: float,
        draw_reward: float,
        policy_temperature: float | None = None,
    ):
        """Compiles on first use.

        Args:
          network: from `build_network`.
          margin_weight: a row is worth outcome + margin_weight * margin.
          draw_reward: the outcome of a certain draw.
          policy_temperature: temperature of the softmax over objectives that the policy was trained
            to be; None if it was trained otherwise.
        """
        self._policy_temperature = policy_temperature
        self._over_afterstates = network.config.afterstates

        @jax.jit
        def values(params: Params, rows: jax.Array) -> jax.Array:
            return objective(values_or_results(network, params, rows, draw_reward), margin_weight)

        @jax.jit
        def policies(params: Params, rows: jax.Array) -> jax.Array:
            logits, _ = evaluate(network, params, rows)
            return jnp.exp(masked_log_softmax(logits, legal_mask(rows)))

        @jax.jit
        def scores(params: Params, rows: jax.Array) -> jax.Array:
            return evaluate(network, params, rows)[0]

        self._values = values
        # What one forward pass says of a policy: probabilities, or scores of afterstates.
        self._policies = scores if self._over_afterstates else policies

    def warm_up(self, params: Params) -> None:
        """Compiles everything that play needs, so that no move has to wait for it."""
        for size in BATCH_SIZES:
            rows = np.zeros((size, OBSERVATION_SIZE), np.uint8)
            self.values(params, rows)
            self._policy_pass(params, rows)

    def values(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U]: the objective of rows uint8 [U, 19], exact where the result is certain."""
        result = np.empty(len(rows), np.float32)
        return in_batches(partial(self._values, params), (rows,), BATCH_SIZES, result)

    def action_values(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U, A]: the values of the actions in rows uint8 [U, 19], -inf where illegal.

        They are the values of the afterstates. A policy that is a softmax over objectives has
        learned the same quantity from another part of the network, and the mean of the two errs
        less. The afterstates decide alone in positions where an action has a certain result.
        """
        afterstates, _ = expand_afterstates(rows)
        values = _by_action(rows, self.values(params, afterstates))
        temperature = self._policy_temperature
        if temperature is None or not len(rows):
            return values
        some_certain = _by_action(rows, decided(afterstates)).max(axis=1) > 0
        legal = np.isfinite(values)
        # Probabilities leave the level of the objectives open: it is that of the values.
        best = values.max(axis=1, keepdims=True, initial=-np.inf, where=legal)
        weights = np.where(legal, np.exp((values - best) / temperature), 0.0)
        level = best + temperature * np.log(weights.sum(axis=1, keepdims=True))
        probabilities = np.maximum(self.policies(params, rows), 1e-9)
        of_policy = level + temperature * np.log(probabilities)
        averaged = legal & ~some_certain[:, None]
        return np.where(averaged, (values + of_policy) / 2, values).astype(np.float32)

    def policies(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U, A]: probabilities of the actions in rows uint8 [U, 19]."""
        if not self._over_afterstates:
            return self._policy_pass(params, rows)
        afterstates, _ = expand_afterstates(rows)
        scores = _by_action(rows, self._policy_pass(params, afterstates)[:, 0])
        weights = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-1e9))
        return weights / weights.sum(axis=1, keepdims=True)

    def _policy_pass(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """Probabilities float32 [U, A] of positions, or scores float32 [U, 1] of afterstates."""
        width = 1 if self._over_afterstates else NUM_ACTIONS
        result = np.empty((len(rows), width), np.float32)
        return in_batches(partial(self._policies, params), (rows,), BATCH_SIZES, result)


def _by_action(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float32 [U, A]: values [E] of the legal actions of rows uint8 [U, 19], -inf elsewhere."""
    table = np.full((len(rows), NUM_ACTIONS), -np.inf, np.float32)
    table[legal_mask_of(rows)] = values
    return table
