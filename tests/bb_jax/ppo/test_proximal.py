"""What stays fixed during an update, against loops over the trajectories."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import PPOConfig
from bb_jax.placement import AXIS
from bb_jax.ppo.proximal import prepare_batch
from bb_jax.ppo.trajectories import pad_trajectories
from tests.bb_jax.games import ALL_PLIES, legal_of, self_play, tiny_network

NETWORK, PARAMS = tiny_network()
ROLLOUT = self_play(NETWORK, PARAMS)
INSIDE = np.arange(12) < ROLLOUT.lengths[:, None]
POSITIONS = int(ROLLOUT.lengths.sum())


def prepared(config):
    """The batch of the rollout, positions first, and the metrics; as numpy arrays."""

    def on_device(trajectories):
        batch, _, metrics = prepare_batch(
            NETWORK, PARAMS, trajectories, jnp.float32(1), jnp.int32(ALL_PLIES), config, 0.02
        )
        return batch, metrics

    parts = pad_trajectories(ROLLOUT, 40, 1)
    mapped = jax.pmap(on_device, axis_name=AXIS, devices=jax.devices()[:1])
    return jax.tree.map(lambda array: np.asarray(array)[0], mapped(parts))


def lambda_returns(values, rewards, gamma, trace):
    """float64 [T, 2] of one trajectory: a mix of what came and what was expected, backwards."""
    returns = np.zeros(values.shape)
    returns[-1] = rewards
    for step in reversed(range(len(values) - 1)):
        expected, came = values[step + 1], returns[step + 1]
        returns[step] = gamma * ((1 - trace) * expected + trace * came)
    return returns


@pytest.mark.parametrize("value_lambda", [None, 0.8, 1.0])
def test_targets_of_the_values_have_a_lambda_of_their_own(value_lambda):
    config = PPOConfig(
        gamma=0.9, gae_lambda=0.5, value_lambda=value_lambda, normalize_advantages=False
    )
    batch, metrics = prepared(config)
    ends = np.cumsum(ROLLOUT.lengths)
    residuals = []
    for index, end in enumerate(ends):
        rows = slice(end - ROLLOUT.lengths[index], end)
        values = batch.proximal_values[rows].astype(np.float64)
        rewards = ROLLOUT.rewards[index] / np.array([1, 10])
        advantages = lambda_returns(values, rewards, 0.9, 0.5) - values
        np.testing.assert_allclose(
            batch.advantages[rows], advantages @ np.array([1, 0.02 * 10]), atol=1e-5
        )
        trace = 0.5 if value_lambda is None else value_lambda
        targets = lambda_returns(values, rewards, 0.9, trace)
        np.testing.assert_allclose(batch.returns[rows], targets, atol=1e-5)
        residuals.append((targets - values) @ np.array([1, 0.2]))
    targets = batch.returns[:POSITIONS] @ np.array([1, 0.2])
    explained = 1 - np.concatenate(residuals).var() / targets.var()
    np.testing.assert_allclose(metrics["train/explained_variance"], explained, rtol=1e-3)


def test_probabilities_of_the_policies():
    batch, _ = prepared(PPOConfig())
    np.testing.assert_array_equal(batch.acting_log_probs[:POSITIONS], ROLLOUT.log_probs[INSIDE])
    choices = legal_of(ROLLOUT.observations[INSIDE]).sum(axis=1)
    np.testing.assert_array_equal(batch.policy_mask[:POSITIONS], choices > 1)
    # The rollout is the proximal policy's own.
    np.testing.assert_allclose(
        batch.proximal_log_probs[:POSITIONS], ROLLOUT.log_probs[INSIDE], atol=1e-5
    )
