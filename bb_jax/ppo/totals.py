"""The metrics of a PPO update, summed up minibatch by minibatch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bb_jax.learning.state import Metrics
from bb_jax.ppo.losses import LossStats


class Totals(NamedTuple):
    """Sums and extremes over the minibatches of an update; float32 [] if nothing else is said.

    Attributes:
      minibatches: number of minibatches that were evaluated.
      applied: number of those whose gradient was applied.
      skipped: number of those with a non-finite loss or gradient.
      stopped: bool [], whether the last one exceeded the target of the divergence.
      stats: sums over the minibatches with finite values.
      kl_max: largest divergence.
      kl_last: divergence of the last minibatch with finite values.
      grad_norm_pre_clip: sum of the norms of finite gradients.
      grad_norm_post_clip: sum of the same norms after clipping.
      update_norm: sum of the norms of the applied changes of the parameters.
      first_ratio_deviation: largest distance of a ratio from 1 in the first minibatch.
      first_clip_fraction: clip fraction of the first minibatch.
    """

    minibatches: jax.Array
    applied: jax.Array
    skipped: jax.Array
    stopped: jax.Array
    stats: LossStats
    kl_max: jax.Array
    kl_last: jax.Array
    grad_norm_pre_clip: jax.Array
    grad_norm_post_clip: jax.Array
    update_norm: jax.Array
    first_ratio_deviation: jax.Array
    first_clip_fraction: jax.Array

    @staticmethod
    def zeros() -> "Totals":
        """The totals of no minibatch."""
        numbers = Totals(*[jnp.float32(0)] * len(Totals._fields))
        return numbers._replace(stopped=jnp.bool_(False), stats=LossStats.zeros())

    def plus(
        self,
        stats: LossStats,
        deviation: jax.Array,
        norm: jax.Array,
        clipped_norm: jax.Array,
        update_norm: jax.Array,
        finite: jax.Array,
        above_target: jax.Array,
    ) -> "Totals":
        """These totals with one minibatch more.

        Args:
          stats: the parts of the minibatch's loss.
          deviation: float32 [], the largest distance of a ratio from 1.
          norm: float32 [], the gradient's norm.
          clipped_norm: float32 [], the gradient's norm after clipping.
          update_norm: float32 [], the norm of the proposed change of the parameters.
          finite: bool [], whether loss and gradient are finite.
          above_target: bool [], whether the divergence exceeds its target.
        """
        is_first = self.minibatches == 0
        applies = finite & ~above_target
        stats = jax.tree.map(lambda part: jnp.where(finite, part, 0.0), stats)
        return Totals(
            minibatches=self.minibatches + 1,
            applied=self.applied + applies,
            skipped=self.skipped + ~finite,
            stopped=above_target,
            stats=jax.tree.map(jnp.add, self.stats, stats),
            kl_max=jnp.maximum(self.kl_max, stats.kl),
            kl_last=jnp.where(finite, stats.kl, self.kl_last),
            grad_norm_pre_clip=self.grad_norm_pre_clip + jnp.where(finite, norm, 0.0),
            grad_norm_post_clip=self.grad_norm_post_clip + jnp.where(finite, clipped_norm, 0.0),
            update_norm=self.update_norm + jnp.where(applies, update_norm, 0.0),
            first_ratio_deviation=jnp.where(is_first, deviation, self.first_ratio_deviation),
            first_clip_fraction=jnp.where(is_first, stats.clip_fraction, self.first_clip_fraction),
        )

    def metrics(self) -> Metrics:
        """The metrics of the update; means are over minibatches with finite values."""
        finite = jnp.maximum(self.minibatches - self.skipped, 1)
        return {
            "train/loss": self.stats.loss / finite,
            "train/policy_loss": self.stats.policy_loss / finite,
            "train/value_loss": self.stats.value_loss / finite,
            "train/entropy": self.stats.entropy / finite,
            "train/kl": self.stats.kl / finite,
            "train/kl_max": self.kl_max,
            "train/kl_last": self.kl_last,
            "train/clip_fraction": self.stats.clip_fraction / finite,
            "train/grad_norm_pre_clip": self.grad_norm_pre_clip / finite,
            "train/grad_norm_post_clip": self.grad_norm_post_clip / finite,
            "train/update_norm": self.update_norm / jnp.maximum(self.applied, 1),
            "train/first_ratio_deviation": self.first_ratio_deviation,
            "train/first_clip_fraction": self.first_clip_fraction,
            "train/minibatches": self.minibatches,
            "train/minibatches_applied": self.applied,
            "train/skipped_updates": self.skipped,
            "train/stopped_early": self.stopped.astype(jnp.float32),
        }
