"""The gradient of a PPO minibatch that is spread over devices and slices.

`P` denotes the position slots of one device's share of a minibatch, `E` rows of afterstates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax.config import PPOConfig
from bb_jax.learning.state import Hyper
from bb_jax.networks.network import Network, Params
from bb_jax.placement import AXIS, sum_over_devices
from bb_jax.ppo.losses import Batch, LossStats, divergence, ppo_loss, value_weights
from bb_jax.ppo.slices import Room, count_rows, evaluate_slice, take_slice


class _SliceGradient(NamedTuple):
    """The share of a part of a minibatch.

    Attributes:
      total: in the gradient.
      stats: in the parts of the loss.
      deviation: float32 [], the largest distance of a ratio from 1.
    """

    total: Params
    stats: LossStats
    deviation: jax.Array


@dataclass(frozen=True, eq=False)
class MinibatchGradient:
    """Sums a minibatch's gradient over slices and devices, in a mapped function.

    Attributes:
      network: from `build_network`.
      config: the coefficients of PPO.
      room: the room of one slice.
      num_devices: the number of devices.
    """

    network: Network
    config: PPOConfig
    room: Room
    num_devices: int

    def __call__(
        self,
        params: Params,
        batch: Batch,
        size: jax.Array,
        table: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[Params, LossStats, jax.Array]:
        """The gradient of a whole minibatch.

        Args:
          params: the network's parameters.
          batch: this device's share of the minibatch, [P].
          size: int32 [], the number of positions in it; they come first.
          table: uint8 [E, 19], the afterstates of all positions.
          hyper: the coefficients of this iteration.
          key: uint32 [2], for dropout.

        Returns:
          The gradient, the parts of the loss, and the largest distance of a ratio from 1
          (float32 []), all of them over the whole minibatch.
        """
        own_counts = [
            jnp.sum(weights, dtype=jnp.float32)
            for weights in (batch.policy_mask, value_weights(batch, self.config))
        ]
        policy_count, value_count = sum_over_devices(own_counts)
        device = jax.lax.axis_index(AXIS)
        key = jax.random.fold_in(key, device)

        def of_slice(part: Batch, inside: jax.Array, key: jax.Array) -> _SliceGradient:
            return self._of_slice(
                params, part, inside, table, policy_count, value_count, hyper, key
            )

        if self._takes_one_slice(len(batch.actions)):
            everything = jnp.arange(len(batch.actions)) < size
            total, stats, deviation = of_slice(batch, everything, jax.random.fold_in(key, 0))
        else:
            total, stats, deviation = self._over_slices(params, batch, size, key, of_slice)
        # The deviation of each device in a place of its own: the sum then holds all of them.
        deviations = jnp.where(jnp.arange(self.num_devices) == device, deviation, 0.0)
        total, stats, deviations = sum_over_devices((total, stats, deviations))
        return total, stats, jnp.max(deviations)

    def _takes_one_slice(self, positions: int) -> bool:
        """Whether a slice holds any share of so many positions, and a loop would only cost time.

        A GPU waits for the host each time that a loop decides whether it goes on. A CPU keeps the
        loop: without it a few results round differently than they did.
        """
        one_row_each = not self.network.config.afterstates
        return one_row_each and self.room.rows >= positions and not self.network.on_cpu

    def _over_slices(
        self,
        params: Params,
        batch: Batch,
        size: jax.Array,
        key: jax.Array,
        of_slice: Callable[[Batch, jax.Array, jax.Array], _SliceGradient],
    ) -> _SliceGradient:
        """The sums over as many slices as a share takes; see `__call__`."""
        row_ends = jnp.cumsum(count_rows(self.network, batch.observations))

        def add_slice(carry: tuple[jax.Array, _SliceGradient]) -> tuple[jax.Array, _SliceGradient]:
            begin, sums = carry
            indices, inside, end = take_slice(row_ends, begin, size, self.room)
            part = jax.tree.map(lambda array: array[indices], batch).masked(inside)
            found = of_slice(part, inside, jax.random.fold_in(key, begin))
            total, stats = jax.tree.map(jnp.add, sums[:2], found[:2])
            return end, _SliceGradient(total, stats, jnp.maximum(sums.deviation, found.deviation))

        zeros = _SliceGradient(
            jax.tree.map(jnp.zeros_like, params), LossStats.zeros(), jnp.float32(0)
        )
        _, sums = jax.lax.while_loop(
            lambda carry: carry[0] < size, add_slice, (jnp.int32(0), zeros)
        )
        return sums

    def _of_slice(
        self,
        params: Params,
        part: Batch,
        inside: jax.Array,
        table: jax.Array,
        policy_count: jax.Array,
        value_count: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> _SliceGradient:
        """The share of a slice in the minibatch's gradient."""
        gradient, (stats, deviation) = jax.grad(self._loss, has_aux=True)(
            params, part, inside, table, policy_count, value_count, hyper, key
        )
        if self._uses_dropout:
            # Dropped units alone can move a policy further than any target.
            logits, _ = self._logits_and_values(params, part, inside, table, None)
            kl = divergence(logits, part, policy_count, hyper.temperature)
            stats = stats._replace(kl=kl)
        return _SliceGradient(gradient, stats, deviation)

    @property
    def _uses_dropout(self) -> bool:
        return self.network.config.dropout > 0

    def _loss(
        self,
        params: Params,
        part: Batch,
        inside: jax.Array,
        table: jax.Array,
        policy_count: jax.Array,
        value_count: jax.Array,
        hyper: Hyper,
        key: jax.Array,
    ) -> tuple[jax.Array, tuple[LossStats, jax.Array]]:
        """The share of a slice in the minibatch's loss; see `ppo_loss`."""
        dropout_key = key if self._uses_dropout else None
        return ppo_loss(
            *self._logits_and_values(params, part, inside, table, dropout_key),
            part,
            policy_count,
            value_count,
            hyper.temperature,
            hyper.entropy_coef,
            self.config,
        )

    def _logits_and_values(
        self,
        params: Params,
        part: Batch,
        inside: jax.Array,
        table: jax.Array,
        dropout_key: jax.Array | None,
    ) -> tuple[jax.Array, jax.Array]:
        rows = part.observations, part.first_afterstate, inside, table
        return evaluate_slice(self.network, params, *rows, self.room, dropout_key)
