"""The PPO update: one compiled call for each iteration, over all devices.

Every device holds the whole rollout and the same state, and works on its share of each batch;
gradients and counts are summed over the devices. What an update does is a function of the positions
in their order, not of the number of devices, but for rounding and dropout. `N` denotes
trajectories, `T` decisions of a trajectory, `D` devices, `M` = N T position slots.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bb_jax.config import PPOConfig
from bb_jax.learning.optimizer import apply_gradients, make_optimizer
from bb_jax.learning.state import Hyper, LearnerState, Metrics
from bb_jax.networks.network import Network, Params
from bb_jax.placement import ensure_replicated, local, sum_over_devices, uploads
from bb_jax.ppo.losses import Batch, LossStats, divergence, ppo_loss
from bb_jax.ppo.permutation import permutation
from bb_jax.ppo.proximal import prepare_batch
from bb_jax.ppo.slices import count_rows, evaluate_slice, room_of, take_slice
from bb_jax.ppo.trajectories import PaddedTrajectories, Trajectories, pad_trajectories

_AXIS = "d"
# Rows a position of a slice on a GPU, in networks over afterstates: two slices hold a minibatch,
# whose positions take 5.4 rows on average.
_AFTERSTATE_ROWS = 3


class _Totals(NamedTuple):
    """Sums and extremes over the minibatches of an update; float32 [] but where noted."""

    minibatches: jax.Array
    applied: jax.Array
    skipped: jax.Array
    stopped: jax.Array  # bool []
    stats: LossStats
    kl_max: jax.Array
    kl_last: jax.Array
    grad_norm_pre_clip: jax.Array
    grad_norm_post_clip: jax.Array
    update_norm: jax.Array
    first_ratio_deviation: jax.Array
    first_clip_fraction: jax.Array


Update = Callable[[LearnerState, Trajectories, Hyper, Any], tuple[LearnerState, Metrics]]


def _zero_stats() -> LossStats:
    return LossStats(*[jnp.float32(0)] * len(LossStats._fields))


def _zero_totals() -> _Totals:
    zero = jnp.float32(0)
    return _Totals(
        minibatches=zero,
        applied=zero,
        skipped=zero,
        stopped=jnp.bool_(False),
        stats=_zero_stats(),
        kl_max=zero,
        kl_last=zero,
        grad_norm_pre_clip=zero,
        grad_norm_post_clip=zero,
        update_norm=zero,
        first_ratio_deviation=zero,
        first_clip_fraction=zero,
    )


def _metrics(totals: _Totals) -> Metrics:
    finite = jnp.maximum(totals.minibatches - totals.skipped, 1)
    return {
        "train/loss": totals.stats.loss / finite,
        "train/policy_loss": totals.stats.policy_loss / finite,
        "train/value_loss": totals.stats.value_loss / finite,
        "train/entropy": totals.stats.entropy / finite,
        "train/kl": totals.stats.kl / finite,
        "train/kl_max": totals.kl_max,
        "train/kl_last": totals.kl_last,
        "train/clip_fraction": totals.stats.clip_fraction / finite,
        "train/grad_norm_pre_clip": totals.grad_norm_pre_clip / finite,
        "train/grad_norm_post_clip": totals.grad_norm_post_clip / finite,
        "train/update_norm": totals.update_norm / jnp.maximum(totals.applied, 1),
        "train/first_ratio_deviation": totals.first_ratio_deviation,
        "train/first_clip_fraction": totals.first_clip_fraction,
        "train/minibatches": totals.minibatches,
        "train/minibatches_applied": totals.applied,
        "train/skipped_updates": totals.skipped,
        "train/stopped_early": totals.stopped.astype(jnp.float32),
    }


def make_update(
    network: Network,
    config: PPOConfig,
    capacity: int,
    devices: Sequence[jax.Device] | None = None,
    slice_rows: int | None = None,
    margin_weight: float = 0.0,
) -> Update:
    """Makes the update of one iteration.

    It is called `update(state, rollout, hyper, key)`:
      state: a `LearnerState`; its buffers are given away (copy what is still needed, such as the
        parameters that play on).
      rollout: `Trajectories` of numpy arrays, at most `capacity` of them. They are copied before
        the call returns.
      hyper: a `Hyper`.
      key: uint32 [2].
    It returns, without waiting for them, the new state and metrics (scalars on the device; fetch
    them with one `jax.device_get`).

    The update computes the proximal policy, advantages and weights (`bb_jax.ppo.proximal`), then
    passes `ppo_epochs` times over the positions in random order. Positions are dealt out to the
    ceil(positions / minibatch_size) minibatches of an epoch as evenly as they go. A minibatch with
    a non-finite loss or gradient is not applied, and counted. The first one whose divergence from
    the proximal policy exceeds `target_kl` is not applied, nor any after it. The divergence is that
    of the policy without dropout; with dropout this takes another forward pass. Means over
    minibatches are over those with finite values.

    Args:
      network: from `build_network`.
      config: the coefficients.
      capacity: trajectories of this process's rollouts after padding.
      devices: all devices of all processes by default. With several processes each passes in its
        own rollout, of the same capacity, and the same state, hyper and key.
      slice_rows: rows of one backward pass on one device (`bb_jax.ppo.slices`); a minibatch's
        gradient is summed over as many slices as it takes. By default slices are small on CPUs,
        so that they fit the caches, and one or two elsewhere.
      margin_weight: reward for each point of margin, beside that for the outcome.

    Raises:
      ValueError: by `update`, on a rollout that does not fit (see `pad_trajectories`).
    """
    devices = list(devices) if devices is not None else jax.devices()
    optimizer = make_optimizer(config.max_grad_norm)
    device_positions = -(-config.minibatch_size // len(devices))
    if slice_rows is None and devices[0].platform == "cpu":
        slice_rows = network.cpu_slice_rows
    elif slice_rows is None:
        slice_rows = device_positions * (_AFTERSTATE_ROWS if network.config.afterstates else 1)
    room = room_of(network, -(-device_positions // -(-device_positions // slice_rows)))
    uses_dropout = network.config.dropout > 0

    def gradients(
        params: Params,
        batch: Batch,
        size: jax.Array,
        table: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[Params, LossStats, jax.Array]:
        """Of the minibatch whose share on this device is the first `size` positions of `batch`."""
        own_counts = [
            jnp.sum(mask, dtype=jnp.float32) for mask in (batch.policy_mask, batch.valid_mask)
        ]
        policy_count, value_count = sum_over_devices(own_counts, _AXIS)
        row_ends = jnp.cumsum(count_rows(network, batch.observations))

        def logits_and_values(
            params: Params, part: Batch, inside: jax.Array, dropout_key: jax.Array | None
        ) -> tuple[jax.Array, jax.Array]:
            rows = part.observations, part.first_afterstate, inside, table
            return evaluate_slice(network, params, *rows, room, dropout_key)

        def loss(
            params: Params, part: Batch, inside: jax.Array, part_key: jax.Array
        ) -> tuple[jax.Array, tuple[LossStats, jax.Array]]:
            return ppo_loss(
                *logits_and_values(params, part, inside, part_key if uses_dropout else None),
                part,
                policy_count,
                value_count,
                hyper.temperature,
                hyper.entropy_coef,
                config,
            )

        def add_slice(
            carry: tuple[jax.Array, Params, LossStats, jax.Array],
        ) -> tuple[jax.Array, Params, LossStats, jax.Array]:
            begin, total, stats, deviation = carry
            indices, inside, end = take_slice(row_ends, begin, size, room)
            part = jax.tree.map(lambda array: array[indices], batch)
            part = part._replace(
                policy_mask=part.policy_mask & inside, valid_mask=part.valid_mask & inside
            )
            part_gradients, (part_stats, part_deviation) = jax.grad(loss, has_aux=True)(
                params, part, inside, jax.random.fold_in(key, begin)
            )
            if uses_dropout:
                # Dropped units alone can move a policy further than any target.
                logits, _ = logits_and_values(params, part, inside, None)
                kl = divergence(logits, part, policy_count, hyper.temperature)
                part_stats = part_stats._replace(kl=kl)
            total, stats = jax.tree.map(jnp.add, (total, stats), (part_gradients, part_stats))
            return end, total, stats, jnp.maximum(deviation, part_deviation)

        device = jax.lax.axis_index(_AXIS)
        key = jax.random.fold_in(key, device)
        zeros = (jax.tree.map(jnp.zeros_like, params), _zero_stats(), jnp.float32(0))
        _, total, stats, deviation = jax.lax.while_loop(
            lambda carry: carry[0] < size, add_slice, (jnp.int32(0), *zeros)
        )
        # Every device's own deviation in a place of its own, for their maximum.
        deviations = jnp.where(jnp.arange(len(devices)) == device, deviation, 0.0)
        total, stats, deviations = sum_over_devices((total, stats, deviations), _AXIS)
        return total, stats, jnp.max(deviations)

    def learn_minibatch(
        state: LearnerState,
        totals: _Totals,
        batch: Batch,
        size: jax.Array,
        table: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[LearnerState, _Totals]:
        gradient, stats, deviation = gradients(state.params, batch, size, table, hyper, key)
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(stats.loss) & jnp.isfinite(norm)
        above_target = jnp.bool_(False)
        if config.target_kl is not None:
            above_target = finite & (stats.kl > config.target_kl)
        applies = finite & ~above_target

        params, opt_state, update_norm = apply_gradients(
            optimizer, state.params, state.opt_state, gradient, hyper.learning_rate
        )
        proposed = LearnerState(params, opt_state, state.updates + 1)
        state = jax.tree.map(lambda new, old: jnp.where(applies, new, old), proposed, state)

        is_first = totals.minibatches == 0
        stats = jax.tree.map(lambda part: jnp.where(finite, part, 0.0), stats)
        totals = _Totals(
            minibatches=totals.minibatches + 1,
            applied=totals.applied + applies,
            skipped=totals.skipped + ~finite,
            stopped=above_target,
            stats=jax.tree.map(jnp.add, totals.stats, stats),
            kl_max=jnp.maximum(totals.kl_max, stats.kl),
            kl_last=jnp.where(finite, stats.kl, totals.kl_last),
            grad_norm_pre_clip=totals.grad_norm_pre_clip + jnp.where(finite, norm, 0.0),
            grad_norm_post_clip=totals.grad_norm_post_clip
            + jnp.where(finite, jnp.minimum(norm, config.max_grad_norm), 0.0),
            update_norm=totals.update_norm + jnp.where(applies, update_norm, 0.0),
            first_ratio_deviation=jnp.where(is_first, deviation, totals.first_ratio_deviation),
            first_clip_fraction=jnp.where(
                is_first, stats.clip_fraction, totals.first_clip_fraction
            ),
        )
        return state, totals

    def update_on_device(
        state: LearnerState, rollout: PaddedTrajectories, hyper: Hyper, key: jax.Array
    ) -> tuple[LearnerState, Metrics]:
        offset = jax.lax.axis_index(_AXIS) * len(rollout.afterstates)
        rollout = rollout._replace(first_afterstate=rollout.first_afterstate + offset)
        rollout = jax.lax.all_gather(rollout, _AXIS, tiled=True)
        batch, count, metrics = prepare_batch(
            network,
            state.params,
            rollout,
            hyper.temperature,
            hyper.sampled_plies,
            config,
            margin_weight,
            _AXIS,
        )
        slots = len(batch.actions)
        minibatches = -(-count // config.minibatch_size)
        smaller_size = count // jnp.maximum(minibatches, 1)
        larger = count - smaller_size * minibatches
        places = jnp.arange(device_positions)

        def learn_epoch(
            carry: tuple[LearnerState, _Totals], epoch_key: jax.Array
        ) -> tuple[tuple[LearnerState, _Totals], None]:
            order_key, dropout_key = jax.random.split(epoch_key)
            order = permutation(order_key, count, slots)

            def minibatch(index: jax.Array) -> tuple[Batch, jax.Array]:
                """This device's share of a minibatch, positions first, and their number."""
                start = index * smaller_size + jnp.minimum(index, larger)
                size = smaller_size + (index < larger)
                share = -(-size // len(devices))
                ranks = jax.lax.axis_index(_AXIS) * share + places
                used = (places < share) & (ranks < size)
                positions = order[jnp.where(used, start + ranks, 0)]
                part = jax.tree.map(lambda array: array[positions], batch)
                part = part._replace(
                    policy_mask=part.policy_mask & used, valid_mask=part.valid_mask & used
                )
                return part, jnp.sum(used, dtype=jnp.int32)

            def body(
                loop: tuple[LearnerState, _Totals, jax.Array],
            ) -> tuple[LearnerState, _Totals, jax.Array]:
                state, totals, index = loop
                key = jax.random.fold_in(dropout_key, index)
                part, size = minibatch(index)
                state, totals = learn_minibatch(
                    state, totals, part, size, rollout.afterstates, hyper, key
                )
                return state, totals, index + 1

            # A loop that ends by itself costs as much as there are positions, and nothing after a
            # stop, while every shape stays fixed.
            state, totals, _ = jax.lax.while_loop(
                lambda loop: (loop[2] < minibatches) & ~loop[1].stopped,
                body,
                (*carry, jnp.int32(0)),
            )
            return (state, totals), None

        (state, totals), _ = jax.lax.scan(
            learn_epoch, (state, _zero_totals()), jax.random.split(key, config.ppo_epochs)
        )
        metrics |= _metrics(totals) | {"train/param_norm": optax.tree.norm(state.params)}
        return state, metrics

    compiled = jax.pmap(
        update_on_device,
        axis_name=_AXIS,
        in_axes=(None, 0, None, None),
        out_axes=(None, None),
        donate_argnums=0,
        devices=devices,
    )

    def update(
        state: LearnerState, rollout: Trajectories, hyper: Hyper, key: Any
    ) -> tuple[LearnerState, Metrics]:
        parts = pad_trajectories(
            rollout, capacity, len(local(devices)), afterstates=network.config.afterstates
        )
        scalars = hyper.as_scalars()
        state = ensure_replicated(state, devices)
        with uploads():
            new_state, metrics = compiled(state, parts, scalars, np.asarray(key, np.uint32))
        return new_state, metrics

    return update
