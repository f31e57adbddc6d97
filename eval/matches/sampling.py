"""Actions drawn from a network, reproducible row by row."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax.features import OBSERVATION_SIZE, legal_mask
from bb_jax.networks.afterstates import Afterstates, evaluate_positions, make_afterstates
from bb_jax.networks.distributions import masked_log_softmax, sample


def make_sampling_policy(
    network: Any, params: Any, batch_size: int, temperature: float
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A policy that draws from softmax(logits / temperature) over the legal actions.

    Unlike a policy that carries a random stream from call to call, it draws the same action for the
    same row and uniform, whatever shares the batch.

    Args:
      network: from `bb_jax.build_network`.
      params: its parameters.
      batch_size: rows of every forward pass; fewer are padded.
      temperature: above 0.

    Returns:
      observations uint8 [B, 19], uniforms float32 [B] in [0, 1) -> action ids uint8 [B], any B.
    """

    @jax.jit
    def draw(
        params: Any, observations: jax.Array, afterstates: Afterstates | None, uniforms: jax.Array
    ) -> jax.Array:
        if afterstates is not None:
            afterstates = jax.tree.map(lambda array: array[0], afterstates)
        logits, _ = evaluate_positions(network, params, observations, afterstates)
        log_probs = masked_log_softmax(logits, legal_mask(observations), temperature)
        return sample(log_probs, uniforms).astype(jnp.uint8)

    params = jax.tree.map(jnp.array, params)

    def act(observations: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        actions = np.zeros(len(observations), np.uint8)
        for start in range(0, len(observations), batch_size):
            part = slice(start, min(start + batch_size, len(observations)))
            rows = part.stop - part.start
            padded = np.zeros((batch_size, OBSERVATION_SIZE), np.uint8)
            padded[:rows] = observations[part]
            padded_uniforms = np.zeros(batch_size, np.float32)
            padded_uniforms[:rows] = uniforms[part]
            afterstates = make_afterstates(network, padded[None])
            drawn = draw(params, padded, afterstates, padded_uniforms)
            actions[part] = np.asarray(drawn)[:rows]
        return actions

    return act
