"""The update of expert iteration: the policy learns the expert's choices, the values its returns.

`B` denotes positions, `U` minibatches, `D` devices.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bb_jax import features
from bb_jax.config import ExpertConfig
from bb_jax.learning.optimizer import apply_gradients, make_optimizer
from bb_jax.learning.state import Hyper, LearnerState, Metrics
from bb_jax.networks import distributions
from bb_jax.networks.afterstates import Afterstates, expand_parts, first_and_rank
from bb_jax.networks.network import (
    Network,
    Params,
    evaluate,
    objective,
    values_or_results,
)
from bb_jax.placement import ensure_replicated, local, sum_over_devices, uploads

_AXIS = "d"


class Lessons(NamedTuple):
    """Positions to learn from.

    Attributes:
      observations: uint8 [B, 19], decisions.
      afterstates: uint8 [B, 19], of the actions played in them.
      policy: float16 [B, 33], what the policy is drawn to, and the ranking of the afterstates.
      decision_values: float32 [B, 2], targets of the values of the decisions.
      afterstate_values: float32 [B, 2], of the afterstates.
    """

    observations: Any
    afterstates: Any
    policy: Any
    decision_values: Any
    afterstate_values: Any


ExpertUpdate = Callable[[LearnerState, Lessons, int, Hyper], tuple[LearnerState, Metrics]]


class _Losses(NamedTuple):
    loss: jax.Array
    policy: jax.Array
    decision: jax.Array
    afterstate: jax.Array
    ranking: jax.Array
    entropy: jax.Array
    kl: jax.Array


class _Batch(NamedTuple):
    """Lessons, and all afterstates of their positions where these are ranked."""

    lessons: Lessons
    afterstates: Afterstates | None


class _Sums(NamedTuple):
    """Over the minibatches that were applied; float32 []."""

    losses: _Losses
    norm: jax.Array
    clipped_norm: jax.Array
    update_norm: jax.Array
    applied: jax.Array


def make_expert_update(
    network: Network,
    config: ExpertConfig,
    devices: Sequence[jax.Device] | None = None,
    *,
    margin_weight: float = 0.0,
    draw_reward: float = 0.0,
) -> ExpertUpdate:
    """Makes the update of one iteration: one gradient step for each minibatch of lessons.

    It is called `update(state, lessons, steps, hyper)`: a `LearnerState`, whose buffers are given
    away, `Lessons` of numpy arrays [U, minibatch_size, ...], which are copied, the number of steps,
    at most U, and a `Hyper`, of which the learning rate is used. It returns, without waiting, the
    new state and metrics, means over the minibatches. A minibatch with a non-finite loss or
    gradient is not applied, and counted. A new U compiles anew, another number of steps does not.

    With `ranking_coef` the objectives of all afterstates of a position, divided by
    `policy_temperature`, are logits that are drawn to the policy's target as well: what the expert
    plays by is their order, and an error that they share costs nothing.

    Args:
      network: from `build_network`.
      config: the coefficients; `minibatch_size` is spread over the devices evenly.
      devices: local devices, all by default; or all devices of several processes, each of which
        passes in the same arguments.
      margin_weight: of the margin in the objective.
      draw_reward: what a draw is worth, a win being 1 and a loss -1.

    Raises:
      ValueError: the minibatch cannot be spread over the devices evenly.
    """
    devices = list(devices) if devices is not None else jax.local_devices()
    optimizer = make_optimizer(config.max_grad_norm)
    if config.minibatch_size % len(devices):
        raise ValueError(
            f"minibatch_size ({config.minibatch_size}) cannot be spread over {len(devices)} devices"
        )
    device_rows = config.minibatch_size // len(devices)
    ranks = config.ranking_coef > 0
    wanted = device_rows
    if devices[0].platform == "cpu":
        # Afterstates are many rows, for which small slices would leave too much room.
        wanted = network.cpu_slice_rows if ranks else max(1, network.cpu_slice_rows // 2)
    slices = next(
        n for n in range(-(-device_rows // wanted), device_rows + 1) if not device_rows % n
    )

    def ranking_loss(
        params: Params, afterstates: Afterstates, target: jax.Array, legal: jax.Array
    ) -> jax.Array:
        values = values_or_results(network, params, afterstates.rows, draw_reward)
        of_action = jnp.take(values, first_and_rank(afterstates.first, legal), axis=0, mode="clip")
        logits = jnp.where(legal, objective(of_action, margin_weight), 0.0)
        log_probs = distributions.masked_log_softmax(logits, legal, config.policy_temperature)
        return -jnp.sum(jnp.where(legal, target * log_probs, 0.0))

    def loss(
        params: Params, part: Lessons, afterstates: Afterstates | None
    ) -> tuple[jax.Array, _Losses]:
        policy, decision_values = evaluate(network, params, part.observations)
        _, afterstate_values = evaluate(network, params, part.afterstates)
        legal = features.legal_mask(part.observations)
        log_probs = distributions.masked_log_softmax(policy, legal)
        target = part.policy.astype(jnp.float32)
        cross_entropy = -jnp.sum(jnp.where(legal, target * log_probs, 0.0), axis=-1)
        own_entropy = -jnp.sum(jax.scipy.special.xlogy(target, target), axis=-1)

        def squared(values: jax.Array, targets: jax.Array) -> jax.Array:
            return 0.5 * jnp.sum(jnp.mean(jnp.square(values - targets), axis=-1)) * share

        share = 1.0 / config.minibatch_size
        policy_loss = jnp.sum(cross_entropy) * share
        decision = squared(decision_values, part.decision_values)
        afterstate = squared(afterstate_values, part.afterstate_values)
        ranking = jnp.float32(0)
        if afterstates is not None:
            ranking = ranking_loss(params, afterstates, target, legal) * share
        total = config.policy_coef * policy_loss + config.value_coef * (decision + afterstate)
        total += config.ranking_coef * ranking
        return total, _Losses(
            loss=total,
            policy=policy_loss,
            decision=decision,
            afterstate=afterstate,
            ranking=ranking,
            entropy=jnp.sum(distributions.entropy(log_probs)) * share,
            kl=jnp.sum(cross_entropy - own_entropy) * share,
        )

    def learn_minibatch(
        state: LearnerState, sums: _Sums, batch: _Batch, hyper: Hyper
    ) -> tuple[LearnerState, _Sums]:
        def add_slice(sums: Any, part: _Batch) -> tuple[Any, None]:
            gradients, losses = jax.grad(loss, has_aux=True)(state.params, *part)
            return jax.tree.map(jnp.add, sums, (gradients, losses)), None

        zeros = (
            jax.tree.map(jnp.zeros_like, state.params),
            _Losses(*[jnp.float32(0)] * len(_Losses._fields)),
        )
        (gradient, losses), _ = jax.lax.scan(add_slice, zeros, batch)
        gradient, losses = sum_over_devices((gradient, losses), _AXIS)
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(losses.loss) & jnp.isfinite(norm)
        params, opt_state, update_norm = apply_gradients(
            optimizer, state.params, state.opt_state, gradient, hyper.learning_rate
        )
        proposed = LearnerState(params, opt_state, state.updates + 1)
        state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), proposed, state)
        clipped = jnp.minimum(norm, config.max_grad_norm)
        measured = _Sums(losses, norm, clipped, update_norm, jnp.float32(1))
        measured = jax.tree.map(lambda value: jnp.where(finite, value, 0.0), measured)
        return state, jax.tree.map(jnp.add, sums, measured)

    def update_on_device(
        state: LearnerState, batches: _Batch, steps: jax.Array, hyper: Hyper
    ) -> tuple[LearnerState, Metrics]:
        def step(index: jax.Array, carry: tuple[LearnerState, _Sums]) -> tuple[LearnerState, _Sums]:
            batch = jax.tree.map(lambda leaf: leaf[index], batches)
            return learn_minibatch(*carry, batch, hyper)

        zero = jnp.float32(0)
        zeros = _Sums(_Losses(*[zero] * len(_Losses._fields)), zero, zero, zero, zero)
        state, sums = jax.lax.fori_loop(0, steps, step, (state, zeros))
        means = jax.tree.map(lambda value: value / jnp.maximum(sums.applied, 1), sums)
        metrics = {
            "train/loss": means.losses.loss,
            "train/policy_loss": means.losses.policy,
            "train/value_loss": means.losses.decision,
            "train/afterstate_value_loss": means.losses.afterstate,
            "train/ranking_loss": means.losses.ranking,
            "train/entropy": means.losses.entropy,
            "train/kl": means.losses.kl,
            "train/grad_norm_pre_clip": means.norm,
            "train/grad_norm_post_clip": means.clipped_norm,
            "train/update_norm": means.update_norm,
            "train/param_norm": optax.tree.norm(state.params),
            "train/minibatches": steps,
            "train/minibatches_applied": sums.applied,
            "train/skipped_updates": steps - sums.applied,
        }
        return state, metrics

    compiled = jax.pmap(
        update_on_device,
        axis_name=_AXIS,
        in_axes=(None, 0, None, None),
        out_axes=(None, None),
        donate_argnums=0,
        devices=devices,
    )
    own = [i for i, device in enumerate(devices) if device in local(devices)]

    def update(
        state: LearnerState, lessons: Lessons, steps: int, hyper: Hyper
    ) -> tuple[LearnerState, Metrics]:
        def split(leaf: np.ndarray) -> np.ndarray:
            parts = leaf.reshape(len(leaf), len(devices), slices, -1, *leaf.shape[2:])
            return np.ascontiguousarray(np.moveaxis(parts, 1, 0)[own])

        state = ensure_replicated(state, devices)
        scalars = hyper.as_scalars()
        parts = Lessons(*map(split, lessons))
        batch = _Batch(parts, _expand(parts.observations, steps) if ranks else None)
        with uploads():
            new_state, metrics = compiled(state, batch, np.int32(steps), scalars)
        return new_state, metrics

    return update


def _expand(observations: np.ndarray, steps: int) -> Afterstates:
    """The afterstates of slices uint8 [D, U, S, P, 19]: rows [D, U, S, E, 19], first [D, U, S, P].

    Minibatches from `steps` on hold no positions.
    """
    filled = np.zeros_like(observations)
    filled[:, :steps] = observations[:, :steps]
    expanded = expand_parts(filled.reshape(-1, *observations.shape[-2:]))
    outer = observations.shape[:3]
    return Afterstates(*(leaf.reshape(*outer, *leaf.shape[1:]) for leaf in expanded))
