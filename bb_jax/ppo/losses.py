"""The PPO loss of a minibatch that may be spread over devices.

A result is a sum over the positions of one part, divided by a count over the *whole* minibatch. The
results of all parts, devices or slices, add up to the mean over the minibatch. `B` denotes the
positions of a part.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax import features
from bb_jax.config import PPOConfig
from bb_jax.networks import distributions


class Batch(NamedTuple):
    """Positions and what stays fixed during an update.

    The proximal policy is the policy at the start of the update.

    Attributes:
      observations: uint8 [B, 19].
      actions: int32 [B].
      proximal_log_probs: float32 [B], the actions' log-probabilities under the tempered proximal
        policy.
      acting_log_probs: float32 [B], their log-probabilities under the policy that played the
        games.
      proximal_values: float32 [B, 2], values at the start of the update.
      advantages: float32 [B], advantages of the objective.
      returns: float32 [B, 2], targets of the values.
      behaviour_weights: float32 [B], proximal over behaviour probability, truncated.
      policy_mask: bool [B], the positions that train the policy; with a `learn_fraction`, only
        those that are chosen.
      valid_mask: bool [B], the positions that train the value; the others are padding.
      first_afterstate: int32 [B], the row of the table of all afterstates at which a position's
        own begin.
    """

    observations: jax.Array
    actions: jax.Array
    proximal_log_probs: jax.Array
    acting_log_probs: jax.Array
    proximal_values: jax.Array
    advantages: jax.Array
    returns: jax.Array
    behaviour_weights: jax.Array
    policy_mask: jax.Array
    valid_mask: jax.Array
    first_afterstate: jax.Array

    def masked(self, inside: jax.Array) -> "Batch":
        """The batch with the positions outside of `inside`, bool [B], as padding."""
        return self._replace(
            policy_mask=self.policy_mask & inside, valid_mask=self.valid_mask & inside
        )


class LossStats(NamedTuple):
    """Parts of the loss, float32 [], means over the whole minibatch.

    Attributes:
      loss: the loss that is minimised.
      policy_loss: the negated clipped surrogate.
      value_loss: half the mean squared error of the values.
      entropy: the entropy of the policy at temperature 1, in nats.
      kl: the divergence of the tempered policy from the proximal one.
      clip_fraction: the share of positions whose ratio is outside of the clip interval.
    """

    loss: jax.Array
    policy_loss: jax.Array
    value_loss: jax.Array
    entropy: jax.Array
    kl: jax.Array
    clip_fraction: jax.Array

    @staticmethod
    def zeros() -> "LossStats":
        """The parts of the loss of no position."""
        return LossStats(*[jnp.float32(0)] * len(LossStats._fields))


def policy_mask(
    observations: jax.Array, valid_mask: jax.Array, sampled_plies: jax.Array
) -> jax.Array:
    """The positions that train the policy: bool [B].

    The others have one legal action, or their turn is `sampled_plies` (int32 []) or later. There
    the best action was played, which has no probability to compare with.
    """
    choices = jnp.sum(features.legal_mask(observations), axis=-1)
    return valid_mask & (choices > 1) & (features.turns(observations) < sampled_plies)


def value_weights(batch: Batch, config: PPOConfig) -> jax.Array:
    """The number of positions for which each trains the values: float32 [B], 0 for padding."""
    weights = batch.valid_mask.astype(jnp.float32)
    if 0 < config.value_fraction < 1:
        weights *= jnp.where(batch.policy_mask, 1.0, 1 / config.value_fraction)
    return weights


def _log_ratio(
    logits: jax.Array, batch: Batch, reference: jax.Array, temperature: jax.Array
) -> jax.Array:
    """The logarithm of the current probability over another one, whose logarithm is `reference`.

    Float32 [B], as `reference`; 0 outside of the mask.
    """
    legal = features.legal_mask(batch.observations)
    log_prob = distributions.select(
        distributions.masked_log_softmax(logits, legal, temperature), batch.actions
    )
    # Values outside of the mask are replaced here, not only left out of the means: 0 times a value
    # that is not finite would be a NaN in the gradient.
    return jnp.where(batch.policy_mask, log_prob - reference, 0.0)


def divergence(
    logits: jax.Array, batch: Batch, policy_count: jax.Array, temperature: jax.Array
) -> jax.Array:
    """This part's share of mean((r - 1) - log r), the divergence from the proximal policy.

    The arguments are those of `ppo_loss`; the result is float32 [].
    """
    log_ratio = _log_ratio(logits, batch, batch.proximal_log_probs, temperature)
    return jnp.sum(_divergences(log_ratio)) / jnp.maximum(policy_count, 1.0)


def _divergences(log_ratio: jax.Array) -> jax.Array:
    """(r - 1) - log r of each position, whose mean over another policy's actions estimates the
    divergence of the current policy from that one."""
    return jnp.expm1(log_ratio) - log_ratio


def ppo_loss(
    logits: jax.Array,
    values: jax.Array,
    batch: Batch,
    policy_count: jax.Array,
    value_count: jax.Array,
    temperature: jax.Array,
    entropy_coef: jax.Array,
    config: PPOConfig,
) -> tuple[jax.Array, tuple[LossStats, jax.Array]]:
    """This part's share of the minibatch's loss.

    Schulman et al., "Proximal policy optimization algorithms", equations 7 and 9. The ratio is that
    of the policy that acted, softmax(logits / temperature); the entropy bonus is that of the
    untempered policy. Clipping is relative to the proximal policy, and the surrogate is weighted by
    proximal over behaviour probability, as in Hilton et al., "Batch size-invariance for policy
    optimization", equation 2. With `kl_coef`, the divergence from the policy that acted is added.

    Args:
      logits: float32 [B, 33].
      values: float32 [B, 2].
      batch: the positions.
      policy_count: float32 [], the positions of the whole minibatch that train the policy.
      value_count: float32 [], the sum of `value_weights` over the whole minibatch.
      temperature: float32 [], the temperature of the policy that acted.
      entropy_coef: float32 [], the weight of the entropy bonus.
      config: the coefficients.

    Returns:
      The loss, float32 [], its parts, and the largest distance of a ratio from 1, float32 [].
    """
    per_policy_position = batch.policy_mask / jnp.maximum(policy_count, 1.0)
    per_position = value_weights(batch, config) / jnp.maximum(value_count, 1.0)

    def policy_mean(per_row: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(batch.policy_mask, per_row, 0.0) * per_policy_position)

    log_ratio = _log_ratio(logits, batch, batch.proximal_log_probs, temperature)
    advantages = jnp.where(batch.policy_mask, batch.advantages, 0.0)
    returns = jnp.where(batch.valid_mask[:, None], batch.returns, 0.0)

    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1 - config.clip_epsilon, 1 + config.clip_epsilon)
    surrogate = jnp.minimum(ratio * advantages, clipped * advantages)
    policy_loss = -policy_mean(batch.behaviour_weights * surrogate)

    error = jnp.square(values - returns)
    if config.clip_value:
        change = jnp.clip(values - batch.proximal_values, -config.clip_epsilon, config.clip_epsilon)
        error = jnp.maximum(error, jnp.square(batch.proximal_values + change - returns))
    error = jnp.mean(error, axis=-1)
    value_loss = 0.5 * jnp.sum(jnp.where(batch.valid_mask, error, 0.0) * per_position)

    legal = features.legal_mask(batch.observations)
    entropy = policy_mean(distributions.entropy(distributions.masked_log_softmax(logits, legal)))
    loss = policy_loss + config.value_coef * value_loss - entropy_coef * entropy
    if config.kl_coef > 0:
        log_ratio_to_acting = _log_ratio(logits, batch, batch.acting_log_probs, temperature)
        loss += config.kl_coef * policy_mean(_divergences(log_ratio_to_acting))
    stats = LossStats(
        loss=loss,
        policy_loss=policy_loss,
        value_loss=value_loss,
        entropy=entropy,
        kl=divergence(logits, batch, policy_count, temperature),
        clip_fraction=policy_mean(jnp.abs(ratio - 1) > config.clip_epsilon),
    )
    return loss, (stats, jnp.max(jnp.abs(ratio - 1)))
