"""Updates of policies over afterstates, and what the two values and their weight are for."""

import functools

import jax
import numpy as np
import pytest

from bb_jax import Hyper, LearnerState, PPOConfig, Trajectories, make_policy_step, make_update
from bb_jax.learning.optimizer import make_optimizer
from bb_jax.learning.state import init_state
from bb_jax.networks.network import MARGIN_UNIT, build_network, evaluate
from tests.bb_jax.games import (
    AFTERSTATE_MLP,
    AFTERSTATE_TRANSFORMER,
    ALL_PLIES,
    TINY_MLP,
    branching_position,
    legal_of,
    random_positions,
    scores_one_by_one,
    self_play,
    tiny_network,
)

CONFIG = PPOConfig(minibatch_size=64, ppo_epochs=2, target_kl=None)
HYPER = Hyper(learning_rate=1e-3, entropy_coef=0.01, temperature=1.0, sampled_plies=ALL_PLIES)
KEY = np.array([1, 2], np.uint32)
CAPACITY = 32
DEVICES = jax.devices()[:1]
NETWORK, PARAMS = tiny_network(AFTERSTATE_MLP)
ROLLOUT = self_play(NETWORK, PARAMS)


@functools.cache
def _compiled(network=NETWORK, config=CONFIG, slice_rows=None, margin_weight=0.02):
    return make_update(network, config, CAPACITY, DEVICES, slice_rows, margin_weight)


def _update(rollout=ROLLOUT, hyper=HYPER, params=PARAMS, **options):
    """The new state and the metrics, on the host."""
    params = jax.tree.map(np.array, params)
    state = LearnerState(params, make_optimizer(0.5).init(params), np.int32(0))
    return jax.device_get(_compiled(**options)(state, rollout, hyper, KEY))


def _distance(tree, other) -> float:
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), tree, other)))


@pytest.mark.parametrize(
    ("config", "temperature", "sampled_plies"),
    [
        (AFTERSTATE_MLP, 1.0, 24),
        (AFTERSTATE_MLP, 0.5, 24),
        (AFTERSTATE_MLP, 2.0, 10),
        pytest.param(AFTERSTATE_TRANSFORMER, 0.7, 24, marks=pytest.mark.slow),
    ],
)
def test_the_policy_that_acted_is_the_proximal_policy(config, temperature, sampled_plies):
    network, params = tiny_network(config)
    rollout = self_play(network, params, temperature=temperature, sampled_plies=sampled_plies)
    hyper = HYPER._replace(temperature=temperature, sampled_plies=sampled_plies)
    _, metrics = _update(rollout, hyper, params, network=network)
    assert metrics["train/policy_positions"] > 100
    assert metrics["train/first_ratio_deviation"] < 1e-5
    assert metrics["train/first_clip_fraction"] == 0
    np.testing.assert_allclose(metrics["train/behaviour_weight_mean"], 1, atol=1e-5)
    np.testing.assert_allclose(metrics["train/behaviour_weight_max"], 1, atol=1e-5)


def test_slices_of_a_minibatch_do_not_matter():
    # Room for all of it at once, and for one or two of the widest positions.
    whole = _update(slice_rows=10_000)
    parts = _update(slice_rows=34)
    assert _distance(whole, parts) < 1e-5


def test_padding_has_no_influence():
    spoilt = Trajectories(*(array.copy() for array in ROLLOUT))
    beyond = np.arange(12) >= ROLLOUT.lengths[:, None]
    spoilt.observations[beyond] = 255
    spoilt.log_probs[beyond] = np.nan
    spoilt.actions[beyond] = 200
    jax.tree.map(np.testing.assert_array_equal, _update(spoilt), _update())


def test_positions_with_many_actions_all_find_room():
    rollout = Trajectories(*(array.copy() for array in ROLLOUT))
    rollout.observations[:] = branching_position()
    legal = np.flatnonzero(legal_of(rollout.observations[0, 0]))
    rollout.actions[:] = np.random.default_rng(0).choice(legal, rollout.actions.shape)
    rollout.lengths[:] = 12
    config = CONFIG.replace(minibatch_size=1000, ppo_epochs=1)
    before, metrics = _update(rollout, HYPER._replace(learning_rate=0.0), config=config)
    assert metrics["train/positions"] == metrics["train/policy_positions"] == 12 * CAPACITY
    assert metrics["train/first_ratio_deviation"] < 1e-5
    # Of equal positions each has the same entropy: none is missing from the mean.
    row = rollout.observations[0, :1]
    scores = scores_one_by_one(NETWORK, before.params, row)[legal_of(row)]
    probabilities = np.exp(scores) / np.exp(scores).sum()
    entropy = -(probabilities * np.log(probabilities)).sum()
    np.testing.assert_allclose(metrics["train/entropy"], entropy, rtol=1e-4)


def test_an_empty_rollout_changes_nothing():
    state, metrics = _update(ROLLOUT._replace(lengths=np.zeros_like(ROLLOUT.lengths)))
    jax.tree.map(np.testing.assert_array_equal, state.params, jax.device_get(PARAMS))
    assert metrics["train/minibatches"] == metrics["train/positions"] == 0
    assert all(np.isfinite(value) for value in metrics.values())


def test_dropout_acts_in_the_learning_pass():
    network, _ = tiny_network(AFTERSTATE_MLP.replace(dropout=0.3))
    _, metrics = _update(network=network)
    assert metrics["train/first_ratio_deviation"] > 1e-3
    _, metrics = _update(hyper=HYPER._replace(learning_rate=0.0), network=network)
    assert metrics["train/kl_max"] < 1e-8


ONE_CHOICE = random_positions(16)
ONE_CHOICE = ONE_CHOICE[legal_of(ONE_CHOICE).sum(axis=1) > 1][:256]
LEGAL = legal_of(ONE_CHOICE)
FIRST, LAST = LEGAL.argmax(axis=1), 32 - LEGAL[:, ::-1].argmax(axis=1)


@pytest.mark.parametrize(
    ("config", "margin_weight"),
    [
        pytest.param(AFTERSTATE_MLP, 0.0, id="afterstates-by-outcome"),
        pytest.param(TINY_MLP, 1.0, id="logits-by-margin", marks=pytest.mark.slow),
    ],
)
def test_the_weight_of_the_margin_decides_what_is_learned(config, margin_weight):
    """One decision a game: the last legal action wins, the first one wins by four points."""
    network = build_network(config)
    ppo = PPOConfig(minibatch_size=64, ppo_epochs=4, target_kl=None)
    update = make_update(network, ppo, len(ONE_CHOICE), DEVICES, margin_weight=margin_weight)
    hyper = HYPER._replace(learning_rate=1e-2, entropy_coef=0.0)
    step = make_policy_step(network, DEVICES)
    state = init_state(network, 0)
    wanted, other = (LAST, FIRST) if margin_weight == 0 else (FIRST, LAST)
    shares = []
    for iteration in range(25):
        key = np.array([0, iteration], np.uint32)
        actions, log_probs = np.asarray(step(state.params, ONE_CHOICE, key, 1.0, ALL_PLIES))
        shares.append([(actions == choice).mean() for choice in (wanted, other)])
        rewards = [np.where(actions == LAST, 1, -1), np.where(actions == FIRST, 4, -4)]
        rollout = Trajectories(
            ONE_CHOICE[:, None],
            actions.astype(np.uint8)[:, None],
            log_probs.view(np.float32)[:, None],
            np.ones(len(actions), np.int32),
            np.stack(rewards, axis=1).astype(np.float32),
        )
        state, _ = update(state, rollout, hyper, key)
    assert shares[0][0] < 0.5
    assert shares[-1][0] > 0.9 and shares[-1][1] < 0.1
    # Both values come to know what is paid, that which is not played for too.
    _, values = jax.jit(evaluate, static_argnums=0)(network, state.params, ONE_CHOICE)
    outcome, margin = np.asarray(values).mean(axis=0) * [1, MARGIN_UNIT]
    np.testing.assert_allclose(outcome, rewards[0].mean(), atol=0.3)
    np.testing.assert_allclose(margin, rewards[1].mean(), atol=1)
    assert np.sign(outcome) == -np.sign(margin) == (1 if margin_weight == 0 else -1)
