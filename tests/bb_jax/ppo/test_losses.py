"""The PPO loss against numpy and against gradients in closed form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import PPOConfig
from bb_jax.ppo.losses import Batch, policy_mask, ppo_loss
from bb_sim.rules.observation import TURN_BYTE
from tests.bb_jax.games import legal_of, random_positions

ROWS = random_positions(2)[:40]
LEGAL = legal_of(ROWS)
SIZE = len(ROWS)
RNG = np.random.default_rng(0)
TEMPERATURE = 0.7
CONFIG = PPOConfig(clip_value=True, clip_epsilon=0.2, value_coef=0.5)
ACTIONS = np.array([RNG.choice(np.flatnonzero(row)) for row in LEGAL], np.int32)
LOGITS = RNG.normal(size=(SIZE, 33)).astype(np.float32)
VALUES = RNG.normal(size=(SIZE, 2)).astype(np.float32)


def _probs(logits: np.ndarray, temperature: float) -> np.ndarray:
    scores = np.where(LEGAL, np.exp(logits.astype(np.float64) / temperature), 0)
    return scores / scores.sum(axis=1, keepdims=True)


def _batch(**changes) -> Batch:
    log_probs = np.log(_probs(LOGITS, TEMPERATURE)[np.arange(SIZE), ACTIONS])
    fields = {
        "observations": ROWS,
        "actions": ACTIONS,
        "proximal_log_probs": (log_probs + RNG.normal(size=SIZE) * 0.3).astype(np.float32),
        "acting_log_probs": (log_probs + RNG.normal(size=SIZE) * 0.3).astype(np.float32),
        "proximal_values": (VALUES + RNG.normal(size=(SIZE, 2)) * 0.3).astype(np.float32),
        "advantages": RNG.normal(size=SIZE).astype(np.float32),
        "returns": RNG.normal(size=(SIZE, 2)).astype(np.float32),
        "behaviour_weights": RNG.uniform(0.5, 1.5, SIZE).astype(np.float32),
        "policy_mask": np.arange(SIZE) % 3 != 0,
        "valid_mask": np.arange(SIZE) < SIZE - 5,
        "first_afterstate": np.zeros(SIZE, np.int32),
    }
    batch = Batch(**{name: jnp.array(array) for name, array in (fields | changes).items()})
    return batch._replace(policy_mask=batch.policy_mask & batch.valid_mask)


@functools.partial(jax.jit, static_argnums=3)
def _loss(logits, values, batch, config=CONFIG, entropy_coef=0.03):
    counts = jnp.sum(batch.policy_mask), jnp.sum(batch.valid_mask)
    return ppo_loss(
        logits,
        values,
        batch,
        counts[0].astype(jnp.float32),
        counts[1].astype(jnp.float32),
        jnp.float32(TEMPERATURE),
        entropy_coef,
        config,
    )


_GRADIENTS = jax.jit(jax.grad(_loss, argnums=(0, 1), has_aux=True), static_argnums=3)


def _gradients(batch, entropy_coef=0.0):
    """Gradients with respect to logits and values."""
    return _GRADIENTS(LOGITS, VALUES, batch, CONFIG, entropy_coef)[0]


@pytest.mark.parametrize("clip_value", [True, False])
def test_parts_of_the_loss(clip_value):
    batch = _batch()
    config = CONFIG.replace(clip_value=clip_value)
    loss, (stats, deviation) = _loss(LOGITS, VALUES, batch, config)

    trained, valid = np.asarray(batch.policy_mask), np.asarray(batch.valid_mask)
    log_probs = np.log(_probs(LOGITS, TEMPERATURE)[np.arange(SIZE), ACTIONS])
    log_ratio = log_probs - batch.proximal_log_probs
    ratio = np.exp(log_ratio)
    surrogate = np.minimum(ratio * batch.advantages, np.clip(ratio, 0.8, 1.2) * batch.advantages)
    policy_loss = -(batch.behaviour_weights * surrogate)[trained].mean()
    probs = _probs(LOGITS, 1.0)
    entropy = -(probs * np.log(np.where(probs > 0, probs, 1))).sum(axis=1)[trained].mean()
    near = batch.proximal_values + np.clip(VALUES - batch.proximal_values, -0.2, 0.2)
    error = (VALUES - batch.returns) ** 2
    if clip_value:
        error = np.maximum(error, (near - batch.returns) ** 2)
    value_loss = 0.5 * error[valid].mean()

    np.testing.assert_allclose(stats.policy_loss, policy_loss, rtol=1e-4)
    np.testing.assert_allclose(stats.value_loss, value_loss, rtol=1e-4)
    np.testing.assert_allclose(stats.entropy, entropy, rtol=1e-4)
    np.testing.assert_allclose(stats.kl, (ratio - 1 - log_ratio)[trained].mean(), rtol=1e-3)
    np.testing.assert_allclose(stats.clip_fraction, (np.abs(ratio - 1) > 0.2)[trained].mean())
    np.testing.assert_allclose(deviation, np.abs(ratio - 1)[trained].max(), rtol=1e-3)
    np.testing.assert_allclose(loss, policy_loss + 0.5 * value_loss - 0.03 * entropy, rtol=1e-4)


def test_gradient_at_the_proximal_policy():
    probs = _probs(LOGITS, TEMPERATURE)
    log_probs = np.log(probs[np.arange(SIZE), ACTIONS]).astype(np.float32)
    batch = _batch(proximal_log_probs=log_probs)
    gradient = _gradients(batch)[0]
    weight = np.where(batch.policy_mask, batch.behaviour_weights * batch.advantages, 0)
    weight = weight / np.asarray(batch.policy_mask).sum()
    expected = -weight[:, None] * (np.eye(33)[ACTIONS] - probs) / TEMPERATURE
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_gradient_of_the_entropy_bonus():
    batch = _batch(advantages=np.zeros(SIZE, np.float32))
    gradient = _gradients(batch, 0.5)[0]
    probs = _probs(LOGITS, 1.0)
    log_probs = np.log(np.where(probs > 0, probs, 1))
    entropy = -(probs * log_probs).sum(axis=1, keepdims=True)
    trained = np.asarray(batch.policy_mask)
    expected = 0.5 * probs * (log_probs + entropy) * trained[:, None] / trained.sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_the_divergence_from_the_policy_that_acted():
    log_probs = np.log(_probs(LOGITS, TEMPERATURE)[np.arange(SIZE), ACTIONS])
    batch = _batch()
    plain, (_, _) = _loss(LOGITS, VALUES, batch)
    loss, (stats, _) = _loss(LOGITS, VALUES, batch, CONFIG.replace(kl_coef=0.4))
    log_ratio = (log_probs - batch.acting_log_probs)[np.asarray(batch.policy_mask)]
    expected = (np.exp(log_ratio) - 1 - log_ratio).mean()
    np.testing.assert_allclose(loss - plain, 0.4 * expected, rtol=1e-3)
    assert stats.loss == loss
    # What does not train the policy has no probability to compare with.
    broken = jnp.where(batch.policy_mask, batch.acting_log_probs, -jnp.inf)
    spoilt = batch._replace(acting_log_probs=broken)
    assert _loss(LOGITS, VALUES, spoilt, CONFIG.replace(kl_coef=0.4))[0] == loss


def test_the_divergence_pulls_towards_the_policy_that_acted():
    """Over the acting policy's own actions, the gradient is that of the exact divergence."""
    acting = _probs(LOGITS + RNG.normal(size=LOGITS.shape).astype(np.float32), TEMPERATURE)
    probs = _probs(LOGITS, TEMPERATURE)
    config = CONFIG.replace(kl_coef=1.0)
    pull = np.zeros((SIZE, 33))
    for action in range(33):
        with np.errstate(divide="ignore"):
            log_probs = np.where(LEGAL[:, action], np.log(acting[:, action]), 0)
        batch = _batch(
            actions=np.full(SIZE, action, np.int32),
            acting_log_probs=log_probs.astype(np.float32),
            advantages=np.zeros(SIZE, np.float32),
            policy_mask=LEGAL[:, action],
        )
        gradient = _GRADIENTS(LOGITS, VALUES, batch, config, 0.0)[0][0]
        pull += acting[:, [action]] * np.asarray(gradient) * np.asarray(batch.policy_mask).sum()
    valid = np.arange(SIZE) < SIZE - 5
    expected = np.where(valid[:, None], (probs - acting) / TEMPERATURE, 0)
    np.testing.assert_allclose(pull, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "flat"),
    [(0.5, 1.0, True), (0.5, -1.0, False), (-0.5, -1.0, True), (-0.5, 1.0, False)],
)
def test_clipping_stops_steps_that_go_too_far_alone(log_ratio, advantage, flat):
    log_probs = np.log(_probs(LOGITS, TEMPERATURE)[np.arange(SIZE), ACTIONS])
    batch = _batch(
        proximal_log_probs=(log_probs - log_ratio).astype(np.float32),
        advantages=np.full(SIZE, advantage, np.float32),
        policy_mask=LEGAL.sum(axis=1) > 1,
    )
    gradient = _gradients(batch)[0]
    rows = np.abs(gradient).sum(axis=1)[np.asarray(batch.policy_mask)]
    assert (rows == 0).all() if flat else (rows > 0).all()


def test_positions_outside_the_policy_mask_train_the_value_alone():
    batch = _batch()
    by_logits, by_values = _gradients(batch, 0.03)
    trained, valid = np.asarray(batch.policy_mask), np.asarray(batch.valid_mask)
    assert (np.asarray(by_logits)[~trained] == 0).all()
    assert (np.asarray(by_values)[~valid] == 0).all()
    assert (np.asarray(by_values)[valid & ~trained] != 0).any()


def test_what_is_not_trained_cannot_spoil_the_gradient():
    batch = _batch()
    broken = np.where(batch.policy_mask, batch.proximal_log_probs, -np.inf)
    returns = np.where(batch.valid_mask[:, None], batch.returns, np.nan)
    spoilt = batch._replace(
        proximal_log_probs=jnp.array(broken),
        returns=jnp.array(returns),
        advantages=jnp.where(batch.policy_mask, batch.advantages, jnp.nan),
    )
    for clean, found in zip(_gradients(batch, 0.03), _gradients(spoilt, 0.03), strict=True):
        np.testing.assert_array_equal(clean, found)


def test_parts_add_up_to_the_minibatch():
    batch = _batch()
    counts = [jnp.float32(np.sum(mask)) for mask in (batch.policy_mask, batch.valid_mask)]
    coefficients = (*counts, jnp.float32(TEMPERATURE), jnp.float32(0.03), CONFIG)
    loss = jax.jit(ppo_loss, static_argnums=7)
    whole = loss(jnp.array(LOGITS), jnp.array(VALUES), batch, *coefficients)[1][0]
    parts = [
        loss(
            jnp.array(LOGITS[rows]),
            jnp.array(VALUES[rows]),
            Batch(*(field[rows] for field in batch)),
            *coefficients,
        )[1][0]
        for rows in (slice(0, 13), slice(13, None))
    ]
    jax.tree.map(
        lambda whole, *parts: np.testing.assert_allclose(sum(parts), whole, rtol=1e-5),
        whole,
        *parts,
    )


def test_who_trains_the_policy():
    valid = np.arange(SIZE) % 2 == 0
    found = np.asarray(policy_mask(jnp.array(ROWS), jnp.array(valid), jnp.int32(15)))
    expected = valid & (LEGAL.sum(axis=1) > 1) & (ROWS[:, TURN_BYTE] < 15)
    np.testing.assert_array_equal(found, expected)
    assert found.any() and (valid & ~found).any()
