"""Generalised advantage estimation over a player's own decisions."""

import jax
import jax.numpy as jnp


def generalized_advantages(
    values: jax.Array,
    lengths: jax.Array,
    rewards: jax.Array,
    gamma: float,
    gae_lambda: float,
) -> jax.Array:
    """Advantages of trajectories that are rewarded at their end alone.

    Schulman et al., "High-dimensional continuous control using generalized advantage estimation",
    equation 16, with time counted in the player's own decisions and value 0 after the last.

    Args:
      values: float32 [N, T] or [N, T, K], estimates of K values at the decisions.
      lengths: int32 [N], number of decisions, 0 to T.
      rewards: float32 [N] or [N, K], paid at the last decision.
      gamma: discount.
      gae_lambda: weight of longer returns.

    Returns:
      Advantages of the shape of `values`, 0 beyond the length. Advantages plus values are the
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
