"""What is fixed during an update: the proximal policy, advantages, weights and masks.

`N` denotes trajectories, `T` decisions of a trajectory, `M` = N T position slots.
"""

from typing import Any

import jax
import jax.numpy as jnp

from bb_jax import distributions, features
from bb_jax.advantages import generalized_advantages
from bb_jax.config import PPOConfig
from bb_jax.losses import Batch, policy_mask
from bb_jax.networks import Network, evaluate
from bb_jax.rollouts import Rollout, pack_positions

Params = Any

# Positions of one forward pass on one device, which bounds its memory.
_CHUNK = 2048
_VARIANCE_EPSILON = 1e-8


def proximal_pass(
    network: Network,
    params: Params,
    observations: jax.Array,
    actions: jax.Array,
    count: jax.Array,
    temperature: jax.Array,
    axis_name: str,
) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities of actions and values under the current parameters, without dropout.

    Each device takes its share of every chunk, and chunks without a position are skipped.

    Args:
      network: from `build_network`.
      params: its parameters.
      observations: uint8 [M, 19], positions first.
      actions: int32 [M].
      count: int32 [], number of positions.
      temperature: float32 [].
      axis_name: of the device axis.

    Returns:
      float32 [M] and float32 [M], 0 beyond the positions.
    """
    slots = len(actions)
    num_devices = jax.lax.axis_size(axis_name)
    rows = min(_CHUNK, -(-slots // num_devices))
    chunks = -(-slots // (rows * num_devices))

    def on_this_device(array: jax.Array) -> jax.Array:
        widths = [(0, chunks * num_devices * rows - slots)] + [(0, 0)] * (array.ndim - 1)
        parts = jnp.pad(array, widths).reshape(chunks, num_devices, rows, *array.shape[1:])
        return parts[:, jax.lax.axis_index(axis_name)]

    def of_chunk(chunk: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        _, observations, actions = chunk
        logits, values = evaluate(network, params, observations)
        legal = features.legal_mask(observations)
        log_probs = distributions.masked_log_softmax(logits, legal, temperature)
        return distributions.select(log_probs, actions), values

    def of_chunk_or_nothing(
        chunk: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array]:
        nothing = jnp.zeros(rows)
        occupied = chunk[0] * num_devices * rows < count
        return jax.lax.cond(occupied, of_chunk, lambda _: (nothing, nothing), chunk)

    results = jax.lax.map(
        of_chunk_or_nothing,
        (jnp.arange(chunks), on_this_device(observations), on_this_device(actions)),
    )

    def from_all_devices(result: jax.Array) -> jax.Array:
        result = jax.lax.all_gather(result, axis_name, axis=1).reshape(-1)[:slots]
        return jnp.where(jnp.arange(slots) < count, result, 0.0)

    return from_all_devices(results[0]), from_all_devices(results[1])


def prepare_batch(
    network: Network,
    params: Params,
    rollout: Rollout,
    temperature: jax.Array,
    sampled_plies: jax.Array,
    config: PPOConfig,
    axis_name: str,
) -> tuple[Batch, jax.Array, dict[str, jax.Array]]:
    """The positions of a rollout, ready to be learned from.

    Args:
      network: from `build_network`.
      params: its parameters at the start of the update.
      rollout: all trajectories, the same on every device.
      temperature: float32 [], of the policy that acted.
      sampled_plies: int32 [], the turn from which it played its best action.
      config: the coefficients.
      axis_name: of the device axis.

    Returns:
      The batch [M], positions first; their number, int32 []; and metrics, float32 [].
    """
    packing = pack_positions(rollout.lengths, rollout.actions.shape[1])

    def packed(slots: jax.Array) -> jax.Array:
        return slots.reshape(-1, *slots.shape[2:])[packing.slot_of_position]

    observations = packed(rollout.observations)
    actions = packed(rollout.actions).astype(jnp.int32)
    valid = jnp.arange(len(actions)) < packing.size
    trains_policy = policy_mask(observations, valid, sampled_plies)

    log_probs, values = proximal_pass(
        network, params, observations, actions, packing.size, temperature, axis_name
    )
    slot_values = jnp.where(packing.inside, values[packing.position_of_slot], 0.0)
    advantages = packed(
        generalized_advantages(
            slot_values, rollout.lengths, rollout.rewards, config.gamma, config.gae_lambda
        )
    )
    returns = advantages + values

    def mean(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(mask, per_row, 0.0)) / jnp.maximum(jnp.sum(mask), 1)

    def variance(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return mean(jnp.square(per_row - mean(per_row, mask)), mask)

    unexplained = variance(advantages, valid)
    explained_variance = 1 - unexplained / (variance(returns, valid) + _VARIANCE_EPSILON)
    if config.normalize_advantages:
        deviation = jnp.sqrt(variance(advantages, trains_policy) + _VARIANCE_EPSILON)
        advantages = (advantages - mean(advantages, trains_policy)) / deviation

    log_weights = jnp.where(trains_policy, log_probs - packed(rollout.log_probs), 0.0)
    weights = jnp.exp(log_weights)
    # A log-probability of minus infinity must spoil its minibatch rather than be truncated.
    truncated = jnp.where(
        jnp.isfinite(log_weights), jnp.minimum(weights, config.max_behaviour_weight), jnp.nan
    )
    batch = Batch(
        observations=observations,
        actions=actions,
        proximal_log_probs=log_probs,
        proximal_values=values,
        advantages=advantages,
        returns=returns,
        behaviour_weights=truncated,
        policy_mask=trains_policy,
        valid_mask=valid,
    )
    metrics = {
        "train/explained_variance": explained_variance,
        "train/behaviour_weight_mean": mean(truncated, trains_policy),
        "train/behaviour_weight_max": jnp.max(weights, where=trains_policy, initial=0.0),
        "train/positions": packing.size,
        "train/policy_positions": jnp.sum(trains_policy),
    }
    return batch, packing.size, metrics
