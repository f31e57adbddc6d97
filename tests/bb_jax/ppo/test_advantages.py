"""Generalised advantages against a loop and closed forms."""

import jax
import numpy as np
import pytest

from bb_jax.ppo.advantages import generalized_advantages

ESTIMATE = jax.jit(generalized_advantages, static_argnums=(3, 4))


def _slowly(values, lengths, rewards, gamma, gae_lambda):
    advantages = np.zeros_like(values, dtype=np.float64)
    for game, length in enumerate(lengths):
        following, estimate = 0.0, 0.0
        for step in reversed(range(length)):
            reward = rewards[game] if step == length - 1 else 0.0
            delta = reward + gamma * following - values[game, step]
            estimate = delta + gamma * gae_lambda * estimate
            following = values[game, step]
            advantages[game, step] = estimate
    return advantages


@pytest.mark.parametrize(("gamma", "gae_lambda"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0)])
def test_against_a_loop(gamma, gae_lambda):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 12)).astype(np.float32)
    lengths = rng.integers(0, 13, 50).astype(np.int32)
    rewards = rng.normal(size=50).astype(np.float32)
    found = ESTIMATE(values, lengths, rewards, gamma, gae_lambda)
    expected = _slowly(values, lengths, rewards, gamma, gae_lambda)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_lambda_1_is_the_discounted_return_less_the_value():
    values = np.array([[0.3, -0.2, 0.5, 9.0]], np.float32)
    found = ESTIMATE(values, np.array([3], np.int32), np.array([2.0], np.float32), 0.9, 1.0)
    returns = 2.0 * 0.9 ** np.array([2, 1, 0])
    np.testing.assert_allclose(found[0, :3], returns - values[0, :3], rtol=1e-6)
    assert found[0, 3] == 0


def test_lambda_0_is_the_temporal_difference():
    values = np.array([[0.3, -0.2, 0.5]], np.float32)
    found = ESTIMATE(values, np.array([3], np.int32), np.array([1.0], np.float32), 0.5, 0.0)
    np.testing.assert_allclose(found[0], [0.5 * -0.2 - 0.3, 0.5 * 0.5 + 0.2, 1 - 0.5], rtol=1e-6)


def test_exact_values_have_no_advantage():
    lengths = np.array([5], np.int32)
    values = (0.9 ** np.arange(4, -1, -1, dtype=np.float32))[None]
    found = ESTIMATE(values, lengths, np.array([1.0], np.float32), 0.9, 0.7)
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_what_lies_beyond_the_length_has_no_influence():
    values = np.array([[0.1, 0.2, np.nan, np.inf]], np.float32)
    found = ESTIMATE(values, np.array([2], np.int32), np.array([1.0], np.float32), 0.9, 0.9)
    clean = ESTIMATE(values[:, :2], np.array([2], np.int32), np.array([1.0], np.float32), 0.9, 0.9)
    np.testing.assert_array_equal(found[:, :2], clean)
    np.testing.assert_array_equal(found[:, 2:], 0)
