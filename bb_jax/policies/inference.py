"""Choosing actions for batches of observations.

`S` denotes the rows of a batch, `D` the devices it is spread over.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bb_jax import features
from bb_jax.batches import in_batches
from bb_jax.networks import distributions
from bb_jax.networks.afterstates import Afterstates, evaluate_positions, make_afterstates
from bb_jax.networks.network import Network, Params
from bb_jax.placement import AXIS, in_equal_parts, own_uniforms, uploads

PolicyStep = Callable[[Params, np.ndarray, Any, Any, Any], jax.Array]
GreedyPolicy = Callable[[np.ndarray], np.ndarray]
SamplingPolicy = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _act(
    network: Network,
    params: Params,
    observations: jax.Array,
    afterstates: Afterstates | None,
    uniforms: jax.Array,
    temperature: jax.Array,
    sampled_plies: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Actions int32 [B] and their log-probabilities float32 [B], 0 where chosen greedily."""
    logits, _ = evaluate_positions(network, params, observations, afterstates)
    legal = features.legal_mask(observations)
    log_probs = distributions.masked_log_softmax(logits, legal, temperature)
    sampled = distributions.sample(log_probs, uniforms)
    samples = features.turns(observations) < sampled_plies
    actions = jnp.where(samples, sampled, distributions.greedy(logits, legal))
    return actions, jnp.where(samples, distributions.select(log_probs, actions), 0.0)


def make_policy_step(network: Network, devices: Sequence[jax.Device] | None = None) -> PolicyStep:
    """A compiled function that acts for a batch, in equal parts on each device.

    It is called `step(params, observations, key, temperature, sampled_plies)`:
      params: the network's parameters.
      observations: uint8 [S, 19]. S is a multiple of the number of devices. Rows of zeros are
        padding. The array must not change before the result is there.
      key: uint32 [2].
      temperature: float; actions are drawn from softmax(logits / temperature).
      sampled_plies: int; from this turn of a game on the best action is chosen.
    It returns uint32 [2, S] without waiting for it: the actions, and the bit patterns of their
    float32 log-probabilities under the tempered policy, 0 where the best action was chosen.
    Padding gets action 0. The result does not depend on the number of devices. A new S is compiled
    anew; new values of the other arguments are not.

    Args:
      network: from `build_network`.
      devices: local devices, all by default.

    Raises:
      ValueError: by `step`, if S is not a multiple of the number of devices.
    """
    devices = list(devices) if devices is not None else jax.local_devices()

    def step_on_device(
        params: Params,
        observations: jax.Array,
        afterstates: Afterstates | None,
        key: jax.Array,
        temperature: jax.Array,
        sampled_plies: jax.Array,
    ) -> jax.Array:
        uniforms = own_uniforms(key, len(observations))
        actions, log_probs = _act(
            network, params, observations, afterstates, uniforms, temperature, sampled_plies
        )
        return jnp.stack(
            [actions.astype(jnp.uint32), jax.lax.bitcast_convert_type(log_probs, jnp.uint32)]
        )

    compiled = jax.pmap(
        step_on_device,
        axis_name=AXIS,
        in_axes=(None, 0, 0, None, None, None),
        out_axes=1,
        devices=devices,
    )

    def step(
        params: Params, observations: np.ndarray, key: Any, temperature: Any, sampled_plies: Any
    ) -> jax.Array:
        parts = in_equal_parts(observations, len(devices))
        afterstates = make_afterstates(network, parts)
        with uploads():
            result = compiled(
                params,
                parts,
                afterstates,
                np.asarray(key, np.uint32),
                np.float32(temperature),
                np.int32(sampled_plies),
            )
        return result.reshape(2, len(observations))

    return step


def make_greedy_policy(network: Network, params: Params, batch_size: int) -> GreedyPolicy:
    """A policy that chooses the best action, compiled for one batch size.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      batch_size: rows of every forward pass; a smaller batch is padded.

    Returns:
      observations uint8 [B, 19] -> action ids uint8 [B], for any B.

    Raises:
      ValueError: the batch size is below 1.
    """

    @jax.jit
    def choose(
        params: Params, observations: jax.Array, afterstates: Afterstates | None
    ) -> jax.Array:
        logits, _ = evaluate_positions(network, params, observations, afterstates)
        best = distributions.greedy(logits, features.legal_mask(observations))
        return best.astype(jnp.uint8)

    return _in_batches_of(batch_size, network, params, choose)


def make_sampling_policy(
    network: Network, params: Params, batch_size: int, temperature: float
) -> SamplingPolicy:
    """A policy that draws from softmax(logits / temperature) over the legal actions.

    The action depends on the row and its uniform alone, whatever else is in the batch.

    Args:
      network: from `build_network`.
      params: the network's parameters.
      batch_size: rows of every forward pass; a smaller batch is padded.
      temperature: above 0.

    Returns:
      observations uint8 [B, 19], uniforms float32 [B] in [0, 1) -> action ids uint8 [B], for any B.

    Raises:
      ValueError: the batch size is below 1 or the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be a number above 0, not {temperature}")

    @jax.jit
    def draw(
        params: Params,
        observations: jax.Array,
        afterstates: Afterstates | None,
        uniforms: jax.Array,
    ) -> jax.Array:
        logits, _ = evaluate_positions(network, params, observations, afterstates)
        legal = features.legal_mask(observations)
        log_probs = distributions.masked_log_softmax(logits, legal, temperature)
        return distributions.sample(log_probs, uniforms).astype(jnp.uint8)

    return _in_batches_of(batch_size, network, params, draw)


def _in_batches_of(
    batch_size: int, network: Network, params: Params, choose: Callable[..., jax.Array]
) -> Callable[..., np.ndarray]:
    """`choose(params, observations, afterstates, *others)` for any number of rows."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be a positive integer, not {batch_size}")
    params = jax.tree.map(jnp.array, params)

    def of_batch(observations: np.ndarray, *others: np.ndarray) -> jax.Array:
        afterstates = make_afterstates(network, observations[None])
        of_all = jax.tree.map(lambda array: array[0], afterstates)
        return choose(params, observations, of_all, *others)

    def act(*arrays: np.ndarray) -> np.ndarray:
        return in_batches(of_batch, arrays, (batch_size,), np.empty(len(arrays[0]), np.uint8))

    return act
