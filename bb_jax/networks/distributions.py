"""Categorical distributions over the legal actions.

`B` denotes the batch dimension, `A` the 33 actions. A row without a legal action (padding) counts
as one where only action 0 is legal: it samples action 0, with log-probability and entropy 0.
"""

import jax
import jax.numpy as jnp

# Stands in for the logarithm of probability 0: finite, so that no product with 0 is NaN.
ILLEGAL_LOG_PROB = -1e9


def _support(legal: jax.Array) -> jax.Array:
    nothing = ~jnp.any(legal, axis=-1, keepdims=True)
    return legal | (nothing & (jnp.arange(legal.shape[-1]) == 0))


def masked_log_softmax(
    logits: jax.Array, legal: jax.Array, temperature: jax.Array | float = 1.0
) -> jax.Array:
    """Log-probabilities of softmax(logits / temperature) over the legal actions.

    Args:
      logits: float32 [B, A].
      legal: bool [B, A].
      temperature: positive scalar.

    Returns:
      float32 [B, A]; `ILLEGAL_LOG_PROB` where an action is illegal. Gradients are 0 with respect to
      illegal logits, whatever their values.
    """
    support = _support(legal)
    highest = jnp.max(logits, axis=-1, keepdims=True, where=support, initial=-jnp.inf)
    # Illegal entries are replaced before the exponential as well as after it: infinity times the
    # 0 of an outer `where` would be a NaN in the gradient.
    shifted = jnp.where(support, logits - jax.lax.stop_gradient(highest), 0.0) / temperature
    total = jnp.sum(jnp.where(support, jnp.exp(shifted), 0.0), axis=-1, keepdims=True)
    return jnp.where(support, shifted - jnp.log(total), ILLEGAL_LOG_PROB)


def entropy(log_probs: jax.Array) -> jax.Array:
    """Entropy in nats of each row of `masked_log_softmax`: float32 [B, A] -> float32 [B]."""
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)


def select(log_probs: jax.Array, actions: jax.Array) -> jax.Array:
    """Log-probability of one action a row: float32 [B, A], integer [B] -> float32 [B]."""
    # A comparison and a sum: a gather would make the gradient a scatter, slow on the CPU.
    chosen = actions[:, None] == jnp.arange(log_probs.shape[-1], dtype=actions.dtype)
    return jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)


def _first(chosen: jax.Array) -> jax.Array:
    """Index of the first true entry of each row: bool [B, A] -> int32 [B]."""
    # A minimum vectorises on the CPU, where argmax does not.
    size = chosen.shape[-1]
    return jnp.min(jnp.where(chosen, jnp.arange(size, dtype=jnp.int32), size), axis=-1)


def greedy(logits: jax.Array, legal: jax.Array) -> jax.Array:
    """Legal action of highest logit, the lowest of equals: int32 [B]."""
    scores = jnp.where(_support(legal), logits, -jnp.inf)
    return _first(scores == jnp.max(scores, axis=-1, keepdims=True))


def sample(log_probs: jax.Array, uniforms: jax.Array) -> jax.Array:
    """One action a row by inversion of the cumulative distribution.

    Inversion takes one random number a row where the Gumbel maximum takes one an action, and lets
    the caller draw them in a way that does not depend on how a batch is spread over devices.

    Args:
      log_probs: float32 [B, A], from `masked_log_softmax`.
      uniforms: float32 [B] in [0, 1).

    Returns:
      int32 [B], always of positive probability.
    """
    probs = jnp.exp(log_probs)
    # A product with a triangle: a cumulative sum is a loop on the CPU. Its columns may round
    # differently, hence the maximum for a total, and the look at the probabilities themselves.
    triangle = jnp.triu(jnp.ones((probs.shape[-1],) * 2, probs.dtype))
    cumulative = jnp.matmul(probs, triangle, precision=jax.lax.Precision.HIGHEST)
    reachable = jnp.where(probs > 0, cumulative, 0.0)
    total = jnp.max(reachable, axis=-1, keepdims=True)
    return _first(reachable > uniforms[:, None] * total)
