"""The PPO update: one compiled call for each iteration, over all devices.

Every device holds all trajectories and the same state, and works on its share of each minibatch.
Gradients and counts are summed over the devices. The result depends on the positions in their
order. It depends on the number of devices only by rounding and dropout. `N` denotes trajectories,
`T` decisions of a trajectory, `D` devices, `M` = N T position slots, `P` slots of a device's share
of a minibatch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bb_jax.config import PPOConfig
from bb_jax.learning.optimizer import make_optimizer
from bb_jax.learning.state import Hyper, LearnerState, Metrics, take_step
from bb_jax.learning.vectors import Carried
from bb_jax.networks.network import Network
from bb_jax.placement import AXIS, local, map_update
from bb_jax.ppo.gradient import MinibatchGradient
from bb_jax.ppo.losses import Batch
from bb_jax.ppo.permutation import permutation
from bb_jax.ppo.proximal import prepare_batch
from bb_jax.ppo.selection import Partition, draw_order, partition
from bb_jax.ppo.slices import room_of
from bb_jax.ppo.totals import Totals
from bb_jax.ppo.trajectories import PaddedTrajectories, Trajectories, pad_trajectories

# Rows a position of a slice on a GPU, in networks over afterstates: two slices hold a minibatch,
# whose positions take 5.4 rows on average.
_AFTERSTATE_ROWS = 3

Update = Callable[[LearnerState, Trajectories, Hyper, Any], tuple[LearnerState, Metrics]]


def make_update(
    network: Network,
    config: PPOConfig,
    capacity: int,
    devices: Sequence[jax.Device] | None = None,
    slice_rows: int | None = None,
    margin_weight: float = 0.0,
) -> Update:
    """Makes the update of one iteration.

    It is called `update(state, trajectories, hyper, key)`:
      state: a `LearnerState`. Its buffers are donated; copy what is needed afterwards, such as the
        parameters that play on.
      trajectories: `Trajectories` of numpy arrays, at most `capacity` of them. They are copied
        before the call returns.
      hyper: a `Hyper`.
      key: uint32 [2].
    It returns the new state and the metrics (scalars on the device; fetch them with one
    `jax.device_get`) without waiting for them.

    The update computes the proximal policy, advantages and weights (`bb_jax.ppo.proximal`). Then it
    passes `ppo_epochs` times over the positions in random order, or over those that are selected
    (`bb_jax.ppo.selection`). An epoch has ceil(positions / minibatch_size) minibatches whose sizes
    differ by at most 1. A minibatch with a non-finite loss or gradient is counted, but not applied.
    The update stops before the first minibatch whose divergence from the proximal policy exceeds
    `target_kl`. The divergence is that of the policy without dropout; with dropout this takes
    another forward pass. Means over minibatches are over those with finite values.

    Args:
      network: from `build_network`.
      config: the coefficients.
      capacity: the number of this process's trajectories after padding.
      devices: all devices of all processes by default. Each of several processes passes its own
        trajectories, with the same capacity, state, hyper and key.
      slice_rows: rows of one backward pass on one device (`bb_jax.ppo.slices`); a minibatch's
        gradient is summed over as many slices as it takes. By default a slice fits a core's cache
        on a CPU, and a minibatch takes one or two slices elsewhere.
      margin_weight: reward for each point of margin, beside that for the outcome.

    Raises:
      ValueError: by `update`, if the trajectories do not fit (see `pad_trajectories`).
    """
    devices = list(devices) if devices is not None else jax.devices()
    device_positions = -(-config.minibatch_size // len(devices))
    if slice_rows is None and devices[0].platform == "cpu":
        slice_rows = network.cpu_slice_rows
    elif slice_rows is None:
        slice_rows = device_positions * (_AFTERSTATE_ROWS if network.config.afterstates else 1)
    room = room_of(network, -(-device_positions // -(-device_positions // slice_rows)))
    on_device = _DeviceUpdate(
        network,
        config,
        make_optimizer(config.max_grad_norm),
        MinibatchGradient(network, config, room, len(devices)),
        len(devices),
        device_positions,
        margin_weight,
    )
    compiled = map_update(on_device.update_on_device, devices)

    def update(
        state: LearnerState, trajectories: Trajectories, hyper: Hyper, key: Any
    ) -> tuple[LearnerState, Metrics]:
        parts = pad_trajectories(
            trajectories, capacity, len(local(devices)), afterstates=network.config.afterstates
        )
        return compiled(state, parts, hyper.as_scalars(), np.asarray(key, np.uint32))

    return update


@dataclass(frozen=True, eq=False)
class _DeviceUpdate:
    """The update as each device runs it.

    Attributes:
      network: from `build_network`.
      config: the coefficients.
      optimizer: from `make_optimizer`.
      gradient: computes a minibatch's gradient.
      num_devices: D.
      device_positions: P.
      margin_weight: reward for each point of margin.
    """

    network: Network
    config: PPOConfig
    optimizer: optax.GradientTransformation
    gradient: MinibatchGradient
    num_devices: int
    device_positions: int
    margin_weight: float

    def update_on_device(
        self, state: LearnerState, trajectories: PaddedTrajectories, hyper: Hyper, key: jax.Array
    ) -> tuple[LearnerState, Metrics]:
        offset = jax.lax.axis_index(AXIS) * len(trajectories.afterstates)
        trajectories = trajectories._replace(
            first_afterstate=trajectories.first_afterstate + offset
        )
        trajectories = jax.lax.all_gather(trajectories, AXIS, tiled=True)
        batch, count, metrics = prepare_batch(
            self.network,
            state.params,
            trajectories,
            hyper.temperature,
            hyper.sampled_plies,
            self.config,
            self.margin_weight,
        )

        parts = None
        if not self.config.learns_from_all:
            parts = partition(batch.policy_mask, batch.valid_mask)

        def learn_epoch(carry: tuple[LearnerState, Any], epoch_key: jax.Array) -> tuple[Any, None]:
            state, totals = carry
            table = trajectories.afterstates
            return self._learn_epoch(
                carried, state, totals, batch, count, parts, table, hyper, epoch_key
            ), None

        carried = Carried(state, as_vectors=not self.network.on_cpu)
        (state, packed_totals), _ = jax.lax.scan(
            learn_epoch,
            (carried.pack_state(), carried.pack(Totals.zeros())),
            jax.random.split(key, self.config.ppo_epochs),
        )
        state = carried.unpack_state(state)
        totals = carried.unpack(packed_totals, Totals.zeros())
        metrics |= totals.metrics() | {"train/param_norm": optax.tree.norm(state.params)}
        return state, metrics

    def _learn_epoch(
        self,
        carried: Carried,
        state: LearnerState,
        totals: Any,
        batch: Batch,
        count: jax.Array,
        parts: Partition | None,
        table: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[LearnerState, Any]:
        """One pass over the positions of `batch` [M], of which the first `count` are positions.

        With `parts` it is over a selection of them. State and totals are packed as `carried` does
        it, here and in the result.
        """
        order_key, dropout_key = jax.random.split(key)
        if parts is None:
            order = permutation(order_key, count, len(batch.actions))
        else:
            order, count = draw_order(order_key, parts, self.config.value_fraction)
        minibatches = -(-count // self.config.minibatch_size)

        def unpacked(totals: Any) -> Totals:
            return carried.unpack(totals, Totals.zeros())

        def learn_next(
            loop: tuple[LearnerState, Any, jax.Array],
        ) -> tuple[LearnerState, Any, jax.Array]:
            state, packed, index = loop
            part, size = self._own_share(batch, order, count, minibatches, index)
            key = jax.random.fold_in(dropout_key, index)
            state, totals = self._learn_minibatch(
                carried, state, unpacked(packed), part, size, table, hyper, key
            )
            return state, carried.pack(totals), index + 1

        # The loop ends by itself: its cost follows the number of positions and a stop, while every
        # shape stays fixed.
        state, totals, _ = jax.lax.while_loop(
            lambda loop: (loop[2] < minibatches) & ~unpacked(loop[1]).stopped,
            learn_next,
            (state, totals, jnp.int32(0)),
        )
        return state, totals

    def _own_share(
        self,
        batch: Batch,
        order: jax.Array,
        count: jax.Array,
        minibatches: jax.Array,
        index: jax.Array,
    ) -> tuple[Batch, jax.Array]:
        """This device's share [P] of minibatch `index`, positions first, and their number."""
        smaller_size = count // jnp.maximum(minibatches, 1)
        larger = count - smaller_size * minibatches
        places = jnp.arange(self.device_positions)
        start = index * smaller_size + jnp.minimum(index, larger)
        size = smaller_size + (index < larger)
        share = -(-size // self.num_devices)
        ranks = jax.lax.axis_index(AXIS) * share + places
        used = (places < share) & (ranks < size)
        positions = order[jnp.where(used, start + ranks, 0)]
        part = jax.tree.map(lambda array: array[positions], batch).masked(used)
        return part, jnp.sum(used, dtype=jnp.int32)

    def _learn_minibatch(
        self,
        carried: Carried,
        state: LearnerState,
        totals: Totals,
        batch: Batch,
        size: jax.Array,
        table: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[LearnerState, Totals]:
        """One gradient step on a packed state; see `MinibatchGradient.__call__`."""
        params = carried.params(state)
        gradient, stats, deviation = self.gradient(params, batch, size, table, hyper, key)
        gradient = carried.pack(gradient)
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(stats.loss) & jnp.isfinite(norm)
        above_target = jnp.bool_(False)
        if self.config.target_kl is not None:
            above_target = finite & (stats.kl > self.config.target_kl)
        state, update_norm = take_step(
            self.optimizer, state, gradient, hyper.learning_rate, finite & ~above_target
        )
        clipped_norm = jnp.minimum(norm, self.config.max_grad_norm)
        totals = totals.plus(
            stats, deviation, norm, clipped_norm, update_norm, finite, above_target
        )
        return state, totals
