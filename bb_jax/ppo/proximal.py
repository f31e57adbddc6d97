"""Prepares what stays fixed during an update: proximal policy, advantages, weights and masks.

`N` denotes trajectories, `T` decisions of a trajectory, `M` = N T position slots, `E` rows
of afterstates.
"""

import jax
import jax.numpy as jnp

from bb_jax import features
from bb_jax.config import PPOConfig
from bb_jax.networks import distributions
from bb_jax.networks.network import MARGIN_UNIT, VALUES, Network, Params, objective
from bb_jax.placement import AXIS
from bb_jax.ppo.advantages import generalized_advantages
from bb_jax.ppo.losses import Batch, policy_mask
from bb_jax.ppo.selection import largest
from bb_jax.ppo.slices import count_rows, evaluate_slice, room_of, take_slice
from bb_jax.ppo.trajectories import PaddedTrajectories, pack_positions

# Rows of one forward pass on one device; they bound its memory. A GPU works best on many at once.
_CPU_SLICE_ROWS = 2048
_SLICE_ROWS = 8192
_VARIANCE_EPSILON = 1e-8


def proximal_pass(
    network: Network,
    params: Params,
    observations: jax.Array,
    actions: jax.Array,
    first_afterstate: jax.Array,
    afterstates: jax.Array,
    count: jax.Array,
    temperature: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities of actions and values under the current parameters, without dropout.

    Each device takes its share of the positions, slice by slice.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      observations: uint8 [M, 19], positions first.
      actions: int32 [M].
      first_afterstate: int32 [M], the row at which the afterstates of a position begin.
      afterstates: uint8 [E, 19], the afterstates of all positions.
      count: int32 [], the number of positions.
      temperature: float32 [], the temperature of the policy that acted.

    Returns:
      float32 [M] and float32 [M, 2], 0 beyond the positions.
    """
    slots = len(actions)
    slice_rows = _CPU_SLICE_ROWS if network.on_cpu else _SLICE_ROWS
    room = room_of(network, min(slice_rows, slots))
    row_ends = jnp.cumsum(count_rows(network, observations))
    share = -(-count // jax.lax.axis_size(AXIS))
    start = jax.lax.axis_index(AXIS) * share
    stop = jnp.minimum(start + share, count)

    def add_slice(
        carry: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        begin, log_probs, values = carry
        indices, inside, end = take_slice(row_ends, begin, stop, room)
        rows = observations[indices]
        logits, slice_values = evaluate_slice(
            network, params, rows, first_afterstate[indices], inside, afterstates, room
        )
        tempered = distributions.masked_log_softmax(logits, features.legal_mask(rows), temperature)
        places = jnp.where(inside, indices, slots)
        return (
            end,
            log_probs.at[places].set(distributions.select(tempered, actions[indices]), mode="drop"),
            values.at[places].set(slice_values, mode="drop"),
        )

    nothing = jnp.zeros(slots), jnp.zeros((slots, len(VALUES)))
    _, *results = jax.lax.while_loop(lambda carry: carry[0] < stop, add_slice, (start, *nothing))
    # Each position is evaluated on one device, and 0 on the others.
    log_probs, values = jax.lax.psum(results, AXIS)
    return log_probs, values


def prepare_batch(
    network: Network,
    params: Params,
    trajectories: PaddedTrajectories,
    temperature: jax.Array,
    sampled_plies: jax.Array,
    config: PPOConfig,
    margin_weight: float,
) -> tuple[Batch, jax.Array, dict[str, jax.Array]]:
    """The positions of trajectories, ready to be learned from.

    Args:
      network: from `build_network`.
      params: the network's parameters at the start of the update.
      trajectories: all trajectories, the same on every device.
      temperature: float32 [], the temperature of the policy that acted.
      sampled_plies: int32 [], the turn from which that policy played its best action.
      config: the coefficients.
      margin_weight: reward for each point of margin.

    Returns:
      The batch [M], positions first; their number, int32 []; and metrics, float32 [].
    """
    packing = pack_positions(trajectories.lengths, trajectories.actions.shape[1])

    def packed(slots: jax.Array) -> jax.Array:
        return slots.reshape(-1, *slots.shape[2:])[packing.slot_of_position]

    observations = packed(trajectories.observations)
    actions = packed(trajectories.actions).astype(jnp.int32)
    valid = jnp.arange(len(actions)) < packing.size
    trains_policy = policy_mask(observations, valid, sampled_plies)

    first_afterstate = packed(trajectories.first_afterstate)
    log_probs, values = proximal_pass(
        network,
        params,
        observations,
        actions,
        first_afterstate,
        trajectories.afterstates,
        packing.size,
        temperature,
    )
    slot_values = jnp.where(packing.inside[..., None], values[packing.position_of_slot], 0.0)
    rewards = trajectories.rewards / jnp.array([1.0, MARGIN_UNIT])

    def head_advantages_with(trace: float) -> jax.Array:
        return packed(
            generalized_advantages(slot_values, trajectories.lengths, rewards, config.gamma, trace)
        )

    head_advantages = head_advantages_with(config.gae_lambda)
    residuals = head_advantages
    if config.value_lambda is not None:
        residuals = head_advantages_with(config.value_lambda)
    returns = residuals + values
    # Estimation is linear in rewards and values, so this is the advantage of the weighted sum.
    advantages = objective(head_advantages, margin_weight)

    def mean(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(mask, per_row, 0.0)) / jnp.maximum(jnp.sum(mask), 1)

    def variance(per_row: jax.Array, mask: jax.Array) -> jax.Array:
        return mean(jnp.square(per_row - mean(per_row, mask)), mask)

    unexplained = variance(objective(residuals, margin_weight), valid)
    total_variance = variance(objective(returns, margin_weight), valid)
    explained_variance = 1 - unexplained / (total_variance + _VARIANCE_EPSILON)
    if config.normalize_advantages:
        deviation = jnp.sqrt(variance(advantages, trains_policy) + _VARIANCE_EPSILON)
        advantages = (advantages - mean(advantages, trains_policy)) / deviation

    acting_log_probs = packed(trajectories.log_probs)
    log_weights = jnp.where(trains_policy, log_probs - acting_log_probs, 0.0)
    weights = jnp.exp(log_weights)
    # A log-probability of minus infinity is an error. It must not vanish in the truncation: NaN
    # keeps its minibatch from being applied.
    truncated = jnp.where(
        jnp.isfinite(log_weights), jnp.minimum(weights, config.max_behaviour_weight), jnp.nan
    )
    learned = trains_policy
    if config.learn_fraction < 1:
        learned = largest(jnp.abs(advantages), trains_policy, config.learn_fraction)
        if config.normalize_advantages:
            # So that the other parts of the loss keep their weights.
            advantages /= jnp.sqrt(mean(jnp.square(advantages), learned) + _VARIANCE_EPSILON)
    batch = Batch(
        observations=observations,
        actions=actions,
        proximal_log_probs=log_probs,
        acting_log_probs=acting_log_probs,
        proximal_values=values,
        advantages=advantages,
        returns=returns,
        behaviour_weights=truncated,
        policy_mask=learned,
        valid_mask=valid,
        first_afterstate=first_afterstate,
    )
    metrics = {
        "train/explained_variance": explained_variance,
        "train/behaviour_weight_mean": mean(truncated, trains_policy),
        "train/behaviour_weight_max": jnp.max(weights, where=trains_policy, initial=0.0),
        "train/positions": packing.size,
        "train/policy_positions": jnp.sum(learned),
    }
    return batch, packing.size, metrics
