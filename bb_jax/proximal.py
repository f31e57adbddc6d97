"""What is fixed during an update: the proximal policy, advantages, weights and masks.

`N` denotes trajectories, `T` decisions of a trajectory, `M` = N T position slots.
"""

from typing import Any

import jax
import jax.numpy as jnp

from bb_jax import distributions, features
from bb_jax.advantages import generalized_advantages
from bb_jax.afterstates import Afterstates, evaluate_positions, room_for, take_afterstates
from bb_jax.config import PPOConfig
from bb_jax.losses import Batch, policy_mask
from bb_jax.networks import MARGIN_UNIT, VALUES, Network, objective
from bb_jax.rollouts import PaddedRollout, pack_positions

Params = Any

# Positions of one forward pass on one device, which bounds its memory.
_CHUNK = 2048
_VARIANCE_EPSILON = 1e-8


def proximal_pass(
    network: Network,
    params: Params,
    observations: jax.Array,
    actions: jax.Array,
    first_afterstate: jax.Array,
    afterstate_rows: jax.Array,
    count: jax.Array,
    temperature: jax.Array,
    axis_name: str,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Log-probabilities of actions and values under the current parameters, without dropout.

    Each device takes its share of every chunk, and chunks without a position are skipped.

    Args:
      network: from `build_network`.
      params: its parameters.
      observations: uint8 [M, 19], positions first.
      actions: int32 [M].
      first_afterstate: int32 [M], where the afterstates of a position begin.
      afterstate_rows: uint8 [E, 19], those of all positions.
      count: int32 [], number of positions.
      temperature: float32 [].
      axis_name: of the device axis.

    Returns:
      float32 [M] and float32 [M, 2], 0 beyond the positions, and bool [M]: whether the position's
      afterstates had room in their forward pass.
    """
    slots = len(actions)
    num_devices = jax.lax.axis_size(axis_name)
    rows = min(_CHUNK, -(-slots // num_devices))
    chunks = -(-slots // (rows * num_devices))

    def on_this_device(array: jax.Array) -> jax.Array:
        widths = [(0, chunks * num_devices * rows - slots)] + [(0, 0)] * (array.ndim - 1)
        parts = jnp.pad(array, widths).reshape(chunks, num_devices, rows, *array.shape[1:])
        return parts[:, jax.lax.axis_index(axis_name)]

    def of_chunk(chunk: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array, jax.Array]:
        _, observations, actions, first = chunk
        afterstates, fits = None, jnp.ones(rows, bool)
        if network.config.afterstates:
            table = Afterstates(afterstate_rows, first)
            afterstates, fits = take_afterstates(table, observations, first, room_for(rows))
        logits, values = evaluate_positions(network, params, observations, afterstates)
        legal = features.legal_mask(observations)
        log_probs = distributions.masked_log_softmax(logits, legal, temperature)
        return distributions.select(log_probs, actions), values, fits

    def of_chunk_or_nothing(
        chunk: tuple[jax.Array, ...],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        nothing = jnp.zeros(rows), jnp.zeros((rows, len(VALUES))), jnp.zeros(rows, bool)
        occupied = chunk[0] * num_devices * rows < count
        return jax.lax.cond(occupied, of_chunk, lambda _: nothing, chunk)

    per_position = map(on_this_device, (observations, actions, first_afterstate))
    results = jax.lax.map(of_chunk_or_nothing, (jnp.arange(chunks), *per_position))

    def from_all_devices(result: jax.Array) -> jax.Array:
        result = jax.lax.all_gather(result, axis_name, axis=1)
        result = result.reshape(-1, *result.shape[3:])[:slots]
        inside = (jnp.arange(slots) < count).reshape(-1, *[1] * (result.ndim - 1))
        return jnp.where(inside, result, jnp.zeros((), result.dtype))

    log_probs, values, fits = map(from_all_devices, results)
    return log_probs, values, fits


def prepare_batch(
    network: Network,
    params: Params,
    rollout: PaddedRollout,
    temperature: jax.Array,
    sampled_plies: jax.Array,
    config: PPOConfig,
    margin_weight: float,
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
      margin_weight: reward for each point of margin.
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

    first_afterstate = packed(rollout.first_afterstate)
    log_probs, values, fits = proximal_pass(
        network,
        params,
        observations,
        actions,
        first_afterstate,
        rollout.afterstates,
        packing.size,
        temperature,
        axis_name,
    )
    slot_values = jnp.where(packing.inside[..., None], values[packing.position_of_slot], 0.0)
    rewards = rollout.rewards / jnp.array([1.0, MARGIN_UNIT])
    head_advantages = packed(
        generalized_advantages(
            slot_values, rollout.lengths, rewards, config.gamma, config.gae_lambda
        )
    )
    returns = head_advantages + values
    # Estimation is linear in rewards and values: the advantage of the weighted sum is this.
    advantages = objective(head_advantages, margin_weight)
    trains_policy, valid = trains_policy & fits, valid & fits

    def mean(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(mask, per_row, 0.0)) / jnp.maximum(jnp.sum(mask), 1)

    def variance(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return mean(jnp.square(per_row - mean(per_row, mask)), mask)

    unexplained = variance(advantages, valid)
    total_variance = variance(objective(returns, margin_weight), valid)
    explained_variance = 1 - unexplained / (total_variance + _VARIANCE_EPSILON)
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
        first_afterstate=first_afterstate,
    )
    metrics = {
        "train/explained_variance": explained_variance,
        "train/behaviour_weight_mean": mean(truncated, trains_policy),
        "train/behaviour_weight_max": jnp.max(weights, where=trains_policy, initial=0.0),
        "train/positions": packing.size,
        "train/policy_positions": jnp.sum(trains_policy),
        "train/positions_without_room": packing.size - jnp.sum(valid),
    }
    return batch, packing.size, metrics
