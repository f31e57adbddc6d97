"""The expert of expert iteration plays the action whose afterstate has the highest value.

Anthony, Tian and Barber, "Thinking fast and slow with deep learning and tree search". `B` denotes
positions, `D` devices.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax import features
from bb_jax.networks import distributions
from bb_jax.networks.afterstates import Afterstates, expand_parts, first_and_rank
from bb_jax.networks.network import Network, Params, objective, values_or_results
from bb_jax.placement import AXIS, in_equal_parts, own_uniforms, uploads


class ExpertChoice(NamedTuple):
    """The expert's choice in positions.

    Attributes:
      actions: uint8 [B], the actions to be played.
      best: bool [B], whether these are the best actions.
      values: float32 [B, 2], the values of the best actions.
      played_values: float32 [B, 2], the values of the actions to be played.
      policy: float16 [B, 33], softmax of the objectives of the actions, 0 where illegal.
    """

    actions: Any
    best: Any
    values: Any
    played_values: Any
    policy: Any


ExpertStep = Callable[..., ExpertChoice]


def make_expert_step(
    network: Network,
    margin_weight: float,
    draw_reward: float,
    policy_temperature: float,
    devices: Sequence[jax.Device] | None = None,
) -> ExpertStep:
    """A compiled function that lets the expert act for a batch, in equal parts on each device.

    It is called `step(params, observations, key, temperature, sampled_plies, objectives=None)`. The
    first five arguments are those of a policy step (`bb_jax.policies.inference`); the temperature
    is in units of the objective. `objectives`, float32 [B, 33], are those of a search. The expert
    then plays by them, while the values are still those of the afterstates. The step returns an
    `ExpertChoice` of device arrays without waiting for them.

    Args:
      network: the network whose values decide.
      margin_weight: weight of the margin in the objective.
      draw_reward: the outcome of a draw, beside 1 for a win and -1 for a loss.
      policy_temperature: temperature of the softmax that is the policy's target.
      devices: local devices, all by default.

    Raises:
      ValueError: by `step`, if the batch cannot be spread evenly.
    """
    devices = list(devices) if devices is not None else jax.local_devices()

    def step_on_device(
        params: Params,
        observations: jax.Array,
        afterstates: Afterstates,
        searched: jax.Array | None,
        key: jax.Array,
        temperature: jax.Array,
        sampled_plies: jax.Array,
    ) -> ExpertChoice:
        uniforms = own_uniforms(key, len(observations))
        legal = features.legal_mask(observations)
        values = values_or_results(network, params, afterstates.rows, draw_reward)
        of_action = jnp.take(values, first_and_rank(afterstates.first, legal), axis=0, mode="clip")
        objectives = objective(of_action, margin_weight) if searched is None else searched
        objectives = jnp.where(legal, objectives, 0.0)
        best = distributions.greedy(objectives, legal)
        log_probs = distributions.masked_log_softmax(objectives, legal, temperature)
        samples = features.turns(observations) < sampled_plies
        actions = jnp.where(samples, distributions.sample(log_probs, uniforms), best)

        def values_of(chosen: jax.Array) -> jax.Array:
            is_chosen = chosen[:, None] == jnp.arange(legal.shape[1])
            return jnp.sum(jnp.where(is_chosen[..., None], of_action, 0.0), axis=1)

        target = jnp.exp(distributions.masked_log_softmax(objectives, legal, policy_temperature))
        return ExpertChoice(
            actions=actions.astype(jnp.uint8),
            best=actions == best,
            values=values_of(best),
            played_values=values_of(actions),
            policy=jnp.where(legal, target, 0.0).astype(jnp.float16),
        )

    compiled = jax.pmap(
        step_on_device,
        axis_name=AXIS,
        in_axes=(None, 0, 0, 0, None, None, None),
        devices=devices,
    )

    def step(
        params: Params,
        observations: np.ndarray,
        key: Any,
        temperature: Any,
        sampled_plies: Any,
        objectives: np.ndarray | None = None,
    ) -> ExpertChoice:
        size = len(observations)
        parts = in_equal_parts(observations, len(devices))
        afterstates = expand_parts(parts)
        if objectives is not None:
            objectives = objectives.reshape(*parts.shape[:2], -1)
        with uploads():
            choice = compiled(
                params,
                parts,
                afterstates,
                objectives,
                np.asarray(key, np.uint32),
                np.float32(temperature),
                np.int32(sampled_plies),
            )
        return jax.tree.map(lambda part: part.reshape(size, *part.shape[2:]), choice)

    return step
