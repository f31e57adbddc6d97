"""The update of expert iteration: the policy learns the expert's choices, the values its returns.

`B` denotes positions, `U` minibatches, `D` devices, `S` slices of a device's share of a minibatch,
`P` positions of a slice, `E` rows of afterstates of a slice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bb_jax import features
from bb_jax.config import ExpertConfig
from bb_jax.learning.optimizer import make_optimizer
from bb_jax.learning.state import Hyper, LearnerState, Metrics, take_step
from bb_jax.learning.vectors import Carried
from bb_jax.networks import distributions
from bb_jax.networks.afterstates import Afterstates, expand_parts, first_and_rank
from bb_jax.networks.network import Network, Params, evaluate, objective, values_or_results
from bb_jax.placement import local, map_update, sum_over_devices


class Lessons(NamedTuple):
    """Positions to learn from.

    Attributes:
      observations: uint8 [B, 19], decisions.
      afterstates: uint8 [B, 19], the afterstates of the actions that were played.
      policy: float16 [B, 33], the target of the policy and of the ranking of the afterstates.
      decision_values: float32 [B, 2], targets of the values of the decisions.
      afterstate_values: float32 [B, 2], targets of the values of the afterstates.
    """

    observations: Any
    afterstates: Any
    policy: Any
    decision_values: Any
    afterstate_values: Any


ExpertUpdate = Callable[[LearnerState, Lessons, int, Hyper], tuple[LearnerState, Metrics]]


class _Losses(NamedTuple):
    """Parts of the loss, float32 [], means over a minibatch."""

    loss: jax.Array
    policy: jax.Array
    decision: jax.Array
    afterstate: jax.Array
    ranking: jax.Array
    entropy: jax.Array
    kl: jax.Array

    @staticmethod
    def zeros() -> "_Losses":
        return _Losses(*[jnp.float32(0)] * len(_Losses._fields))


class _Batch(NamedTuple):
    """Lessons, and all afterstates of their positions if these are ranked."""

    lessons: Lessons
    afterstates: Afterstates | None


class _Sums(NamedTuple):
    """Sums over the minibatches that were applied, float32 [], and their number."""

    losses: _Losses
    norm: jax.Array
    clipped_norm: jax.Array
    update_norm: jax.Array
    applied: jax.Array

    @staticmethod
    def zeros() -> "_Sums":
        zero = jnp.float32(0)
        return _Sums(_Losses.zeros(), zero, zero, zero, zero)


def make_expert_update(
    network: Network,
    config: ExpertConfig,
    devices: Sequence[jax.Device] | None = None,
    *,
    margin_weight: float = 0.0,
    draw_reward: float = 0.0,
) -> ExpertUpdate:
    """Makes the update of one iteration: one gradient step for each minibatch of lessons.

    It is called `update(state, lessons, steps, hyper)`:
      state: a `LearnerState`. Its buffers are donated.
      lessons: `Lessons` of numpy arrays [U, minibatch_size, ...]. They are copied.
      steps: the number of gradient steps, at most U.
      hyper: a `Hyper`, of which the learning rate is used.
    It returns the new state and the metrics, means over the minibatches, without waiting for them.
    A minibatch with a non-finite loss or gradient is counted, but not applied. A new U is
    compiled anew, another number of steps is not.

    With `ranking_coef` the objectives of all afterstates of a position, divided by
    `policy_temperature`, are logits whose target is the policy's target. The expert plays by the
    order of the objectives, so an error that they share costs nothing.

    Args:
      network: from `build_network`.
      config: the coefficients. `minibatch_size` must be a multiple of the number of devices.
      devices: local devices, all by default; or all devices of several processes, each of which
        passes the same arguments.
      margin_weight: weight of the margin in the objective.
      draw_reward: the outcome of a draw, beside 1 for a win and -1 for a loss.

    Raises:
      ValueError: the minibatch cannot be spread evenly over the devices.
    """
    devices = list(devices) if devices is not None else jax.local_devices()
    if config.minibatch_size % len(devices):
        raise ValueError(
            f"minibatch_size ({config.minibatch_size}) cannot be spread over {len(devices)} devices"
        )
    ranks = config.ranking_coef > 0
    slices = _number_of_slices(
        network, config.minibatch_size // len(devices), devices[0].platform, ranks
    )
    optimizer = make_optimizer(config.max_grad_norm)
    on_device = _DeviceUpdate(network, config, optimizer, margin_weight, draw_reward)
    compiled = map_update(on_device.update_on_device, devices)
    own = [i for i, device in enumerate(devices) if device in local(devices)]

    def update(
        state: LearnerState, lessons: Lessons, steps: int, hyper: Hyper
    ) -> tuple[LearnerState, Metrics]:
        def split(leaf: np.ndarray) -> np.ndarray:
            parts = leaf.reshape(len(leaf), len(devices), slices, -1, *leaf.shape[2:])
            return np.ascontiguousarray(np.moveaxis(parts, 1, 0)[own])

        parts = Lessons(*map(split, lessons))
        batch = _Batch(parts, _expand(parts.observations, steps) if ranks else None)
        return compiled(state, batch, np.int32(steps), hyper.as_scalars())

    return update


def _number_of_slices(network: Network, positions: int, platform: str, ranks: bool) -> int:
    """The number of equal slices into which a device's share of a minibatch is divided."""
    wanted = positions
    if platform == "cpu":
        # The smaller a slice, the more padding the room for its afterstates holds. So slices with
        # afterstates are the larger ones.
        wanted = network.cpu_slice_rows if ranks else max(1, network.cpu_slice_rows // 2)
    least = -(-positions // wanted)
    return next(count for count in range(least, positions + 1) if not positions % count)


@dataclass(frozen=True, eq=False)
class _DeviceUpdate:
    """The update as each device runs it.

    Attributes:
      network: from `build_network`.
      config: the coefficients.
      optimizer: from `make_optimizer`.
      margin_weight: weight of the margin in the objective.
      draw_reward: the outcome of a draw.
    """

    network: Network
    config: ExpertConfig
    optimizer: optax.GradientTransformation
    margin_weight: float
    draw_reward: float

    def update_on_device(
        self, state: LearnerState, batches: _Batch, steps: jax.Array, hyper: Hyper
    ) -> tuple[LearnerState, Metrics]:
        carried = Carried(state, as_vectors=not self.network.on_cpu)

        def step(index: jax.Array, carry: tuple[LearnerState, Any]) -> tuple[LearnerState, Any]:
            state, packed = carry
            batch = jax.tree.map(lambda leaf: leaf[index], batches)
            sums = carried.unpack(packed, _Sums.zeros())
            state, sums = self._learn_minibatch(carried, state, sums, batch, hyper)
            return state, carried.pack(sums)

        begun = carried.pack_state(), carried.pack(_Sums.zeros())
        state, packed_sums = jax.lax.fori_loop(0, steps, step, begun)
        state = carried.unpack_state(state)
        sums = carried.unpack(packed_sums, _Sums.zeros())
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

    def _learn_minibatch(
        self,
        carried: Carried,
        state: LearnerState,
        sums: _Sums,
        batch: _Batch,
        hyper: Hyper,
    ) -> tuple[LearnerState, _Sums]:
        """One gradient step on a batch [S, P, ...], this device's share of the minibatch.

        The state is packed as `carried` does it.
        """
        params = carried.params(state)

        def add_slice(sums: Any, part: _Batch) -> tuple[Any, None]:
            gradients, losses = jax.grad(self._loss, has_aux=True)(params, *part)
            return jax.tree.map(jnp.add, sums, (gradients, losses)), None

        zeros = jax.tree.map(jnp.zeros_like, params), _Losses.zeros()
        (gradient, losses), _ = jax.lax.scan(add_slice, zeros, batch)
        gradient, losses = sum_over_devices((gradient, losses))
        gradient = carried.pack(gradient)
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(losses.loss) & jnp.isfinite(norm)
        state, update_norm = take_step(self.optimizer, state, gradient, hyper.learning_rate, finite)
        clipped_norm = jnp.minimum(norm, self.config.max_grad_norm)
        measured = _Sums(losses, norm, clipped_norm, update_norm, jnp.float32(1))
        measured = jax.tree.map(lambda value: jnp.where(finite, value, 0.0), measured)
        return state, jax.tree.map(jnp.add, sums, measured)

    def _loss(
        self, params: Params, part: Lessons, afterstates: Afterstates | None
    ) -> tuple[jax.Array, _Losses]:
        """The share of a slice [P] in the minibatch's loss."""
        config = self.config
        policy, decision_values, afterstate_values = self._evaluate(params, part)
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
            ranking = self._ranking_loss(params, afterstates, target, legal) * share
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

    def _evaluate(self, params: Params, part: Lessons) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The policy of decisions [P, 33], and the values of decisions and afterstates [P, 2]."""
        if self.network.on_cpu:
            policy, decision_values = evaluate(self.network, params, part.observations)
            _, afterstate_values = evaluate(self.network, params, part.afterstates)
            return policy, decision_values, afterstate_values
        # A GPU starts half as many kernels for one pass over twice the rows.
        positions = len(part.observations)
        rows = jnp.concatenate([part.observations, part.afterstates])
        policy, values = evaluate(self.network, params, rows)
        if self.network.config.separate_policy:
            # The layers of the policy do not have to see the afterstates.
            policy, _ = evaluate(self.network, params, part.observations)
        return policy[:positions], values[:positions], values[positions:]

    def _ranking_loss(
        self, params: Params, afterstates: Afterstates, target: jax.Array, legal: jax.Array
    ) -> jax.Array:
        """Cross entropy of the afterstates' objectives as logits, summed over the positions.

        Args:
          params: the network's parameters.
          afterstates: all afterstates of the positions, [E].
          target: float32 [P, 33].
          legal: bool [P, 33].
        """
        values = values_or_results(self.network, params, afterstates.rows, self.draw_reward)
        of_action = jnp.take(values, first_and_rank(afterstates.first, legal), axis=0, mode="clip")
        logits = jnp.where(legal, objective(of_action, self.margin_weight), 0.0)
        temperature = self.config.policy_temperature
        log_probs = distributions.masked_log_softmax(logits, legal, temperature)
        return -jnp.sum(jnp.where(legal, target * log_probs, 0.0))


def _expand(observations: np.ndarray, steps: int) -> Afterstates:
    """The afterstates of slices uint8 [D, U, S, P, 19]: rows [D, U, S, E, 19], first [D, U, S, P].

    Minibatches from `steps` on are not expanded.
    """
    filled = np.zeros_like(observations)
    filled[:, :steps] = observations[:, :steps]
    expanded = expand_parts(filled.reshape(-1, *observations.shape[-2:]))
    outer = observations.shape[:3]
    return Afterstates(*(leaf.reshape(*outer, *leaf.shape[1:]) for leaf in expanded))
