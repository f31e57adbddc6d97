"""A network's values of rows with their parts: outcome and margin apart."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax.batches import in_batches
from bb_jax.networks.network import MARGIN_UNIT, Network, Params, objective, values_or_results
from bb_jax.search.evaluator import BATCH_SIZES, RowEvaluator
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.observation import OBSERVATION_SIZE


class PartsEvaluator(RowEvaluator):
    """Evaluates rows like a search's evaluator, and says what the values consist of."""

    def __init__(
        self,
        network: Network,
        margin_weight: float,
        draw_reward: float,
        policy_temperature: float | None = None,
    ):
        super().__init__(network, margin_weight, draw_reward, policy_temperature)

        @jax.jit
        def parts(params: Params, rows: jax.Array) -> jax.Array:
            values = values_or_results(network, params, rows, draw_reward)
            worth = objective(values, margin_weight)
            wins = jnp.clip((values[:, 0] + 1) / 2, 0, 1)
            return jnp.stack([worth, wins, values[:, 1] * MARGIN_UNIT], axis=1)

        self._parts = parts

    def warm_up(self, params: Params) -> None:
        for size in BATCH_SIZES:
            rows = np.zeros((size, OBSERVATION_SIZE), np.uint8)
            self.parts(params, rows)
            self._policy_pass(params, rows)

    def parts(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """float32 [U, 3] of rows uint8 [U, 19]: objective, win probability and margin."""
        result = np.empty((len(rows), 3), np.float32)
        return in_batches(partial(self._parts, params), (rows,), BATCH_SIZES, result)

    def parts_of_actions(self, params: Params, row: np.ndarray) -> np.ndarray:
        """float32 [K, 3]: the parts of the K legal actions of a row uint8 [19], by their ids."""
        afterstates, _ = expand_afterstates(row[None])
        return self.parts(params, afterstates)
