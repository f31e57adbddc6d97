"""What a network says of many rows: in chunks of few sizes, each of which is compiled once.

`U` denotes rows, `E` afterstates.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax.features import NUM_ACTIONS, OBSERVATION_SIZE, decided, legal_mask
from bb_jax.networks.distributions import masked_log_softmax
from bb_jax.networks.network import Network, Params, evaluate, objective, values_or_results
from bb_jax.placement import uploads
from bb_sim.rules.afterstates import expand_afterstates

# Descending; the tail of a batch is cut into chunks of the smaller sizes.
CHUNK_SIZES = (8192, 1024, 256)


def chunks(rows: int) -> list[tuple[int, int]]:
    """(start, size) of the chunks that cover so many rows; only the last may reach beyond them."""
    parts = []
    start = 0
    for size in CHUNK_SIZES:
        while rows - start >= size or (size == CHUNK_SIZES[-1] and start < rows):
            parts.append((start, size))
            start += size
    return parts


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
          draw_reward: the outcome of a draw that is certain.
          policy_temperature: that makes the policy a softmax over objectives; None where it is not
            one.
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

        self._values, self._policies, self._scores = values, policies, scores

    def warm_up(self, params: Params) -> None:
        """Compiles everything that play needs, for those who look at the clock."""
        for size in CHUNK_SIZES:
            rows = np.zeros((size, OBSERVATION_SIZE), np.uint8)
            self.values(params, rows)
            _in_chunks(
                self._scores if self._over_afterstates else self._policies,
                params,
                rows,
                np.empty((size, 1 if self._over_afterstates else NUM_ACTIONS), np.float32),
            )

    def values(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U]: the objective of rows uint8 [U, 19], exact where the result is certain."""
        return _in_chunks(self._values, params, rows, np.empty(len(rows), np.float32))

    def action_values(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U, 33]: what the actions in rows uint8 [U, 19] are worth, -inf where illegal.

        The values of the afterstates; where the policy is a softmax over objectives, it has learned
        the same from what another part of the network sees, and the mean of the two errs less. In
        positions in which an action has a certain result the values stand alone.
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
        """float32 [U, 33]: probabilities of the actions in rows uint8 [U, 19]."""
        if not self._over_afterstates:
            result = np.empty((len(rows), NUM_ACTIONS), np.float32)
            return _in_chunks(self._policies, params, rows, result)
        afterstates, _ = expand_afterstates(rows)
        scores = np.empty((len(afterstates), 1), np.float32)
        scores = _by_action(rows, _in_chunks(self._scores, params, afterstates, scores)[:, 0])
        weights = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-1e9))
        return weights / weights.sum(axis=1, keepdims=True)


def legal_actions(rows: np.ndarray) -> np.ndarray:
    """bool [U, 33] from rows uint8 [U, 19].

    Raises:
      ValueError: the rows have another shape or type.
    """
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != OBSERVATION_SIZE:
        raise ValueError(f"rows must be a uint8 array of shape [B, {OBSERVATION_SIZE}]")
    bits = np.unpackbits(rows[:, 14:], axis=1, count=NUM_ACTIONS, bitorder="little")
    return bits.astype(bool)


def _by_action(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    table = np.full((len(rows), NUM_ACTIONS), -np.inf, np.float32)
    table[legal_actions(rows)] = values
    return table


def _in_chunks(function: Any, params: Params, rows: np.ndarray, result: np.ndarray) -> np.ndarray:
    pending = []
    for start, size in chunks(len(rows)):
        part = rows[start : start + size]
        if len(part) < size:
            part = np.zeros((size, OBSERVATION_SIZE), np.uint8)
            part[: len(rows) - start] = rows[start:]
        with uploads():
            pending.append((start, function(params, part)))
    for start, values in pending:
        part = jax.device_get(values)[: len(rows) - start]
        result[start : start + len(part)] = part
    return result
