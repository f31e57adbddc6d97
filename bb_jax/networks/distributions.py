"""Categorical distributions over the legal actions.

`B` denotes the batch dimension, `A` the 33 actions. A row without a legal action is padding. It is
treated as if action 0 were its only legal one: action 0 is sampled, with log-probability and
entropy 0.
"""

import jax
import jax.numpy as jnp

# Stands for the logarithm of probability 0. It is finite, so that its product with 0 is no NaN.
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
      temperature: a positive scalar.

    Returns:
      float32 [B, A]; `ILLEGAL_LOG_PROB` where an action is illegal. The gradient with respect to an
      illegal logit is 0, even if the logit is not finite.
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
    """The log-probability of one action a row: float32 [B, A], integer [B] -> float32 [B]."""
    # A gather would make the gradient a scatter, which is slow on a CPU.
    chosen = actions[:, None] == jnp.arange(log_probs.shape[-1], dtype=actions.dtype)
    return jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)


def _first(chosen: jax.Array) -> jax.Array:
    """The index of the first true entry of each row: bool [B, A] -> int32 [B]."""
    # On a CPU a minimum is vectorised, an argmax is not.
    size = chosen.shape[-1]
    return jnp.min(jnp.where(chosen, jnp.arange(size, dtype=jnp.int32), size), axis=-1)


def greedy(logits: jax.Array, legal: jax.Array) -> jax.Array:
    """The legal action with the highest logit, the lowest id among equals: int32 [B]."""
    scores = jnp.where(_support(legal), logits, -jnp.inf)
    return _first(scores == jnp.max(scores, axis=-1, keepdims=True))


def sample(log_probs: jax.Array, uniforms: jax.Array) -> jax.Array:
    """Draws one action a row by inversion of the cumulative distribution.

    Inversion takes one random number a row, where the Gumbel maximum takes one an action. The
    caller draws the numbers, independently of how a batch is spread over devices.

    Args:
      log_probs: float32 [B, A], from `masked_log_softmax`.
      uniforms: float32 [B] in [0, 1).

    Returns:
      int32 [B], actions of positive probability.
    """
    probs = jnp.exp(log_probs)
    # A cumulative sum is a loop on a CPU, so this is a product with a triangle. Its columns may
    # round differently: the total is therefore their maximum, and actions of probability 0 are
    # left out.
    triangle = jnp.triu(jnp.ones((probs.shape[-1],) * 2, probs.dtype))
    cumulative = jnp.matmul(probs, triangle, precision=jax.lax.Precision.HIGHEST)
    reachable = jnp.where(probs > 0, cumulative, 0.0)
    total = jnp.max(reachable, axis=-1, keepdims=True)
    return _first(reachable > uniforms[:, None] * total)
