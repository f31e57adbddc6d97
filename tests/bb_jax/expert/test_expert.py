"""The expert of expert iteration: its choices, and the update from its lessons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import Hyper, NetworkConfig, build_network, init_params, legal_mask
from bb_jax.config import ExpertConfig
from bb_jax.expert.step import make_expert_step
from bb_jax.expert.update import Lessons, make_expert_update
from bb_jax.learning.state import init_state
from bb_jax.networks.network import MARGIN_UNIT
from bb_sim.arena import EXTERNAL, Arena
from bb_sim.rules.afterstates import expand_afterstates
from bb_sim.rules.engine import NUM_PLIES
from bb_sim.rules.observation import POINTS_BYTE, POINTS_ZERO, TURN_BYTE
from tests.bb_jax.games import evaluate


def positions(count: int) -> np.ndarray:
    """Decisions in the middle of games between two external players, and late in some."""
    arena = Arena(count)
    arena.start(np.arange(count, dtype=np.uint64), np.full((count, 2), EXTERNAL, np.uint8))
    random = np.random.default_rng(0)
    rows = []
    while arena.pending:
        observations = arena.observations.copy()
        rows.append(observations[arena.games >= 0])
        legal = np.asarray(legal_mask(jnp.asarray(observations)))
        arena.step(np.argmax(legal * random.random(legal.shape), axis=1).astype(np.uint8))
    return np.concatenate(rows)


def slow_choice(network, params, row, margin_weight):
    """Objectives of the legal actions, one afterstate at a time."""
    afterstates, _ = expand_afterstates(row[None])
    objectives = []
    for afterstate in afterstates:
        margin = int(afterstate[POINTS_BYTE]) - POINTS_ZERO
        if NUM_PLIES - afterstate[TURN_BYTE] + np.count_nonzero(afterstate[:4]) < 5:
            objectives.append(np.sign(margin) + margin_weight * margin)
            continue
        _, values = evaluate(network, params, jnp.asarray(afterstate[None]))
        outcome, expected = np.asarray(values)[0]
        objectives.append(outcome + margin_weight * MARGIN_UNIT * expected)
    return np.array(objectives)


def test_the_expert_plays_the_action_whose_afterstate_is_worth_most():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(16,)))
    params = init_params(network, 3)
    rows = positions(20)[::7][:60]
    step = make_expert_step(network, 0.05, 0.0, 0.5, jax.local_devices()[:1])
    choice = step(params, rows, np.zeros(2, np.uint32), 1.0, 0)
    assert np.asarray(choice.best).all()
    for row, action, policy, values in zip(
        rows, choice.actions, np.asarray(choice.policy), np.asarray(choice.values), strict=True
    ):
        legal = np.flatnonzero(legal_mask(jnp.asarray(row[None]))[0])
        objectives = slow_choice(network, params, row, 0.05)
        best = objectives.max()
        assert objectives[legal.tolist().index(int(action))] == pytest.approx(best, abs=1e-4)
        assert values[0] + 0.05 * MARGIN_UNIT * values[1] == pytest.approx(best, abs=1e-4)
        expected = np.exp((objectives - best) / 0.5)
        np.testing.assert_allclose(policy[legal], expected / expected.sum(), atol=2e-3)
        assert policy.sum() == pytest.approx(1, abs=1e-2)


def test_a_higher_temperature_plays_the_best_action_less_often():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(16,)))
    params, rows = init_params(network, 3), positions(40)
    step = make_expert_step(network, 0.05, 0.0, 0.5, jax.local_devices()[:1])
    shares = []
    for temperature in (1e-4, 0.1, 10.0):
        choice = step(params, rows, np.array([1, 2], np.uint32), temperature, 24)
        shares.append(np.asarray(choice.best).mean())
        played, best = np.asarray(choice.played_values), np.asarray(choice.values)
        # What is played is worth no more than the best.
        objective = np.array([1, 0.05 * MARGIN_UNIT])
        assert (played @ objective <= best @ objective + 1e-5).all()
    assert shares[0] > 0.99 > shares[1] > shares[2]


def test_the_update_draws_policy_and_values_to_their_targets():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(32,)))
    config = ExpertConfig(minibatch_size=32, policy_coef=1.0, learning_rate=3e-3)
    rows = positions(4)[:32]
    afterstates, starts = expand_afterstates(rows)
    legal = np.asarray(legal_mask(jnp.asarray(rows)))
    policy = np.eye(33)[[np.flatnonzero(row)[-1] for row in legal]]
    lesson = Lessons(
        observations=rows,
        afterstates=afterstates[starts[:-1]],
        policy=policy.astype(np.float16),
        decision_values=np.tile(np.array([0.5, -0.25], np.float32), (32, 1)),
        afterstate_values=np.tile(np.array([-0.5, 0.25], np.float32), (32, 1)),
    )
    batches = Lessons(*(np.repeat(leaf[None], 100, axis=0) for leaf in lesson))
    update = make_expert_update(network, config, jax.local_devices()[:1])
    state, first = update(init_state(network, 0), batches, 1, Hyper(3e-3, 0.0))
    state, _ = update(state, batches, 100, Hyper(3e-3, 0.0))
    state, _ = update(state, batches, 100, Hyper(3e-3, 0.0))
    assert int(state.updates) == 201
    state, last = update(state, batches, 1, Hyper(0.0, 0.0))
    for name in ("policy_loss", "value_loss", "afterstate_value_loss"):
        assert last[f"train/{name}"] < 0.2 * first[f"train/{name}"]
    _, values = evaluate(network, state.params, jnp.asarray(rows))
    np.testing.assert_allclose(np.asarray(values).mean(0), [0.5, -0.25], atol=0.1)


@pytest.mark.parametrize("separate_policy", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_form_for_gpus_learns_the_same(separate_policy):
    config = NetworkConfig(
        kind="mlp", hidden_layers=(32,), compute_dtype="float32", separate_policy=separate_policy
    )
    rows = positions(4)[:32]
    legal = np.asarray(legal_mask(jnp.asarray(rows)))
    values = np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    policy = (legal / legal.sum(axis=1, keepdims=True)).astype(np.float16)
    lesson = Lessons(rows, rows, policy, values, -values)
    batches = Lessons(*(np.repeat(leaf[None], 3, axis=0) for leaf in lesson))
    # One minibatch cannot be learned from.
    batches.decision_values[1] = np.nan
    learned = []
    for platform in ("cpu", "cuda"):
        network = build_network(config, "points", platform)
        options = ExpertConfig(minibatch_size=32, ranking_coef=0.5)
        update = make_expert_update(network, options, jax.local_devices()[:1])
        state, metrics = update(init_state(network, 0), batches, 3, Hyper(1e-3, 0.0))
        learned.append((jax.device_get(state), jax.device_get(metrics)))
    (state, metrics), (other_state, other_metrics) = learned
    assert metrics["train/skipped_updates"] == 1
    assert str(jax.tree.structure(state)) == str(jax.tree.structure(other_state))
    for found, expected in zip(jax.tree.leaves(other_state), jax.tree.leaves(state), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    for name, value in metrics.items():
        np.testing.assert_allclose(other_metrics[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


def test_ranking_puts_the_afterstates_into_the_order_of_the_target():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(32,)))
    rows = positions(20)[5::9][:40]
    legal = np.asarray(legal_mask(jnp.asarray(rows)))
    objectives = np.random.default_rng(1).normal(size=legal.shape) * 0.2
    weights = np.where(legal, np.exp(objectives / 0.1), 0.0)
    zeros = np.zeros((len(rows), 2), np.float32)
    policy = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float16)
    lesson = Lessons(rows, rows, policy, zeros, zeros)
    config = ExpertConfig(
        minibatch_size=40, policy_coef=0.0, value_coef=0.0, ranking_coef=1.0, policy_temperature=0.1
    )
    room = 300  # minibatches; those that are not learned from may hold anything
    garbage = Lessons(*(np.full((room, *leaf.shape), 255, leaf.dtype) for leaf in lesson))
    for target, leaf in zip(garbage, lesson, strict=True):
        target[:200] = leaf
    update = make_expert_update(
        network, config, jax.local_devices()[:1], margin_weight=0.05, draw_reward=-1.0
    )
    state, first = update(init_state(network, 0), garbage, 1, Hyper(3e-3, 0.0))
    untouched = jax.device_get(state.params["policy"])
    for _ in range(3):
        state, last = update(state, garbage, 200, Hyper(3e-3, 0.0))
    assert last["train/skipped_updates"] == 0
    assert last["train/ranking_loss"] < first["train/ranking_loss"]
    # Nothing draws at the policy here.
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(state.params["policy"]), untouched)
    agree = []
    for row, mask, wanted in zip(rows, legal, objectives, strict=True):
        found = slow_choice(network, jax.device_get(state.params), row, 0.05)
        certain = (
            NUM_PLIES - row[TURN_BYTE] + np.count_nonzero(row[:4]) <= 6
        )  # some afterstates cannot move
        if mask.sum() > 1 and not certain:
            agree.append(found.argmax() == wanted[mask].argmax())
    assert len(agree) > 20
    assert np.mean(agree) > 0.9


def test_a_lesson_that_is_not_finite_is_skipped_and_counted():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(8,)))
    rows = positions(2)[:16]
    lesson = Lessons(
        observations=rows,
        afterstates=rows,
        policy=np.zeros((16, 33), np.float16),
        decision_values=np.zeros((16, 2), np.float32),
        afterstate_values=np.zeros((16, 2), np.float32),
    )
    batches = Lessons(*(np.repeat(leaf[None], 3, axis=0) for leaf in lesson))
    batches.decision_values[1] = np.nan
    update = make_expert_update(network, ExpertConfig(minibatch_size=16), jax.local_devices()[:1])
    state, metrics_of_update = update(init_state(network, 0), batches, 3, Hyper(1e-3, 0.0))
    assert metrics_of_update["train/skipped_updates"] == 1
    assert int(state.updates) == 2
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
