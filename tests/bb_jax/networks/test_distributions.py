"""Distributions over legal actions against numpy, and at their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax.networks import distributions

RNG = np.random.default_rng(0)
LEGAL = RNG.random((64, 33)) < 0.2
LEGAL[np.arange(64), RNG.integers(0, 33, 64)] = True
LOGITS = RNG.normal(size=(64, 33)).astype(np.float32) * 3


def _log_probs(logits: np.ndarray, legal: np.ndarray, temperature: float = 1.0) -> jax.Array:
    return distributions.masked_log_softmax(jnp.array(logits), jnp.array(legal), temperature)


def _greedy(logits: np.ndarray, legal: np.ndarray) -> jax.Array:
    return distributions.greedy(jnp.array(logits), jnp.array(legal))


def _numpy_probs(logits: np.ndarray, legal: np.ndarray, temperature: float) -> np.ndarray:
    scaled = np.where(legal, logits.astype(np.float64) / temperature, -np.inf)
    probs = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return probs / probs.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_log_probs_and_entropy(temperature):
    log_probs = _log_probs(LOGITS, LEGAL, temperature)
    probs = _numpy_probs(LOGITS, LEGAL, temperature)
    np.testing.assert_allclose(np.exp(log_probs), probs, atol=1e-6)
    terms = np.where(probs > 0, probs * np.log(np.where(probs > 0, probs, 1)), 0)
    np.testing.assert_allclose(distributions.entropy(log_probs), -terms.sum(axis=1), atol=1e-5)


def test_select_takes_the_action_of_each_row():
    actions = LEGAL.argmax(axis=1).astype(np.int32)
    log_probs = _log_probs(LOGITS, LEGAL)
    chosen = distributions.select(log_probs, jnp.array(actions))
    np.testing.assert_array_equal(chosen, np.asarray(log_probs)[np.arange(64), actions])


def test_greedy_takes_the_best_legal_action_and_the_first_of_equals():
    best = _greedy(LOGITS, LEGAL)
    np.testing.assert_array_equal(best, np.where(LEGAL, LOGITS, -np.inf).argmax(axis=1))
    np.testing.assert_array_equal(_greedy(np.zeros_like(LOGITS), LEGAL), LEGAL.argmax(axis=1))


def test_samples_have_the_frequencies_of_the_policy():
    draws = 40_000
    log_probs = _log_probs(LOGITS[:1], LEGAL[:1], 2.0)
    uniforms = jax.random.uniform(jax.random.PRNGKey(0), (draws,))
    actions = distributions.sample(jnp.tile(log_probs, (draws, 1)), uniforms)
    frequencies = np.bincount(actions, minlength=33) / draws
    expected = _numpy_probs(LOGITS[:1], LEGAL[:1], 2.0)[0]
    deviation = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(frequencies - expected) <= 5 * deviation).all()


def test_samples_are_legal_at_both_ends_of_the_interval():
    log_probs = _log_probs(LOGITS * 20, LEGAL, 0.5)
    for uniform in (0.0, np.nextafter(np.float32(1), np.float32(0))):
        actions = distributions.sample(log_probs, jnp.full(64, uniform, jnp.float32))
        assert LEGAL[np.arange(64), np.asarray(actions)].all()


def test_gradients_are_finite_and_zero_for_illegal_actions():
    extreme = LOGITS.copy()
    extreme[~LEGAL] = RNG.choice([np.inf, -np.inf, np.nan, 1e30], (~LEGAL).sum())

    def total(logits, temperature):
        log_probs = distributions.masked_log_softmax(logits, jnp.array(LEGAL), temperature)
        chosen = distributions.select(log_probs, jnp.array(LEGAL.argmax(axis=1)))
        return jnp.sum(chosen) + jnp.sum(distributions.entropy(log_probs))

    gradient, by_temperature = jax.grad(total, argnums=(0, 1))(extreme, 0.7)
    assert np.isfinite(gradient).all() and np.isfinite(by_temperature)
    assert (np.asarray(gradient)[~LEGAL] == 0).all()
    np.testing.assert_allclose(np.sum(gradient, axis=1), 0, atol=1e-5)


def test_one_legal_action_is_certain():
    legal = np.eye(33, dtype=bool)
    logits = np.tile(LOGITS[:1], (33, 1))
    log_probs = _log_probs(logits, legal, 0.5)
    np.testing.assert_array_equal(np.diag(log_probs), 0)
    np.testing.assert_array_equal(distributions.entropy(log_probs), 0)
    uniforms = jnp.linspace(0, 0.999, 33)
    np.testing.assert_array_equal(distributions.sample(log_probs, uniforms), np.arange(33))
    np.testing.assert_array_equal(_greedy(logits, legal), np.arange(33))


def test_without_a_legal_action_it_is_action_0():
    nothing = np.zeros((1, 33), bool)
    log_probs = _log_probs(LOGITS[:1], nothing)
    assert distributions.sample(log_probs, jnp.array([0.5])) == 0
    assert _greedy(LOGITS[:1], nothing) == 0
    assert distributions.select(log_probs, jnp.array([0])) == 0
    assert distributions.entropy(log_probs) == 0


def test_ties_of_temperature_and_logits():
    log_probs = _log_probs(LOGITS, LEGAL, 4.0)
    scaled = _log_probs(LOGITS / 4, LEGAL, 1.0)
    np.testing.assert_allclose(log_probs, scaled, atol=1e-5)
