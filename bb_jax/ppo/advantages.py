"""Generalised advantage estimation over a player's own decisions.

`N` denotes trajectories, `T` decisions of a trajectory, `K` values of a decision.
"""

import jax
import jax.numpy as jnp


def generalized_advantages(
    values: jax.Array,
    lengths: jax.Array,
    rewards: jax.Array,
    gamma: float,
    gae_lambda: float,
) -> jax.Array:
    """Advantages of trajectories whose only reward comes at the end.

    Schulman et al., "High-dimensional continuous control using generalized advantage estimation",
    equation 16. Time counts the player's own decisions, and the value after the last one is 0.

    Args:
      values: float32 [N, T] or [N, T, K], estimates of K values at the decisions.
      lengths: int32 [N], the number of decisions, 0 to T.
      rewards: float32 [N] or [N, K], the rewards at the last decision.
      gamma: the discount.
      gae_lambda: the weight of longer returns.

    Returns:
      The advantages, in the shape of `values`, 0 beyond the length. Advantages plus values are the
      lambda-returns.
    """
    if values.ndim == 3:
        of_each = jax.vmap(generalized_advantages, in_axes=(2, None, 1, None, None), out_axes=2)
        return of_each(values, lengths, rewards, gamma, gae_lambda)
    steps = jnp.arange(values.shape[1])

    def backward(
        later: tuple[jax.Array, jax.Array], at_step: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        next_value, next_advantage = later
        step, value = at_step
        inside = step < lengths
        reward = jnp.where(step == lengths - 1, rewards, 0.0)
        delta = reward + gamma * next_value - value
        advantage = jnp.where(inside, delta + gamma * gae_lambda * next_advantage, 0.0)
        return (jnp.where(inside, value, 0.0), advantage), advantage

    zeros = jnp.zeros_like(rewards)
    _, advantages = jax.lax.scan(backward, (zeros, zeros), (steps, values.T), reverse=True)
    return advantages.T
