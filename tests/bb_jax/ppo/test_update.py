"""The update of an iteration: what it applies, what it refuses to apply, and what it measures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import (
    Hyper,
    LearnerState,
    NetworkConfig,
    PPOConfig,
    Trajectories,
    build_network,
    make_policy_step,
    make_update,
)
from bb_jax.learning.optimizer import make_optimizer
from bb_jax.learning.state import init_state
from tests.bb_jax.games import (
    ALL_PLIES,
    TINY_MLP,
    legal_of,
    random_positions,
    self_play,
    tiny_network,
)

# One minibatch an epoch.
WHOLE = PPOConfig(minibatch_size=100_000, ppo_epochs=6, target_kl=1e-4)
NETWORK, PARAMS = tiny_network()
CONFIG = PPOConfig(minibatch_size=64, ppo_epochs=2, target_kl=None)
HYPER = Hyper(learning_rate=1e-3, entropy_coef=0.01, temperature=1.0, sampled_plies=ALL_PLIES)
KEY = np.array([1, 2], np.uint32)
CAPACITY = 32
DEVICES = jax.devices()[:1]
ROLLOUT = self_play(NETWORK, PARAMS)
POSITIONS = int(ROLLOUT.lengths.sum())
INSIDE = np.arange(12) < ROLLOUT.lengths[:, None]


def _state(params=PARAMS) -> LearnerState:
    """A state whose buffers may be given away."""
    params = jax.tree.map(np.array, params)
    return LearnerState(params, make_optimizer(0.5).init(params), np.int32(0))


@functools.cache
def _compiled(network=NETWORK, config=CONFIG, slice_rows=None):
    return make_update(network, config, CAPACITY, DEVICES, slice_rows)


def _update(rollout=ROLLOUT, hyper=HYPER, state=None, **options):
    """The new state and the metrics, on the host."""
    update = _compiled(**options)
    return jax.device_get(update(state or _state(), rollout, hyper, KEY))


def _assert_same(tree, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, tree, other)


def _distance(tree, other) -> float:
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), tree, other)))


def test_counts_and_norms():
    state, metrics = _update()
    assert metrics["train/positions"] == POSITIONS
    assert metrics["train/policy_positions"] == sum(
        legal_of(ROLLOUT.observations[index, :length]).sum(axis=1).tolist().count(1) * -1 + length
        for index, length in enumerate(ROLLOUT.lengths)
    )
    minibatches = 2 * -(-POSITIONS // 64)
    assert metrics["train/minibatches"] == metrics["train/minibatches_applied"] == minibatches
    assert state.updates == minibatches
    assert metrics["train/skipped_updates"] == metrics["train/stopped_early"] == 0
    assert 0 < metrics["train/grad_norm_post_clip"] <= metrics["train/grad_norm_pre_clip"]
    assert metrics["train/grad_norm_post_clip"] <= 0.5 + 1e-6
    norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(state.params)))
    np.testing.assert_allclose(metrics["train/param_norm"], norm, rtol=1e-5)
    assert metrics["train/update_norm"] > 0
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize(
    ("slice_rows", "dropout"),
    [
        (64, 0.0),
        (16, 0.3),
        pytest.param(64, 0.3, marks=pytest.mark.slow),
        pytest.param(16, 0.0, marks=pytest.mark.slow),
    ],
)
def test_the_form_for_gpus_learns_the_same(slice_rows, dropout):
    # A share that fits into one slice is taken without a loop there. The last minibatch of an epoch
    # and its padding are a part of the test: 64 divides no epoch.
    assert POSITIONS % 64
    architecture = TINY_MLP.replace(compute_dtype="float32", dropout=dropout)
    here, there = (build_network(architecture, "points", where) for where in ("cpu", "cuda"))
    state, metrics = _update(network=here, slice_rows=slice_rows)
    other_state, other_metrics = _update(network=there, slice_rows=slice_rows)
    assert _distance(state.params, other_state.params) < 1e-5
    assert metrics.keys() == other_metrics.keys()
    for name, value in metrics.items():
        np.testing.assert_allclose(other_metrics[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("temperature", "sampled_plies"), [(1.0, 24), (0.5, 24), (2.0, 10)])
def test_the_policy_that_acted_is_the_proximal_policy(temperature, sampled_plies):
    rollout = self_play(NETWORK, PARAMS, temperature=temperature, sampled_plies=sampled_plies)
    hyper = HYPER._replace(temperature=temperature, sampled_plies=sampled_plies)
    _, metrics = _update(rollout, hyper)
    assert metrics["train/first_ratio_deviation"] < 1e-5
    assert metrics["train/first_clip_fraction"] == 0
    np.testing.assert_allclose(metrics["train/behaviour_weight_mean"], 1, atol=1e-5)
    np.testing.assert_allclose(metrics["train/behaviour_weight_max"], 1, atol=1e-5)


def test_older_data_is_weighted():
    older = ROLLOUT._replace(log_probs=ROLLOUT.log_probs - np.float32(np.log(3)))
    _, metrics = _update(older)
    np.testing.assert_allclose(metrics["train/behaviour_weight_max"], 3, rtol=1e-4)
    np.testing.assert_allclose(metrics["train/behaviour_weight_mean"], 2, rtol=1e-4)
    assert metrics["train/first_ratio_deviation"] < 1e-5


def test_only_sampled_plies_train_the_policy():
    hyper = HYPER._replace(sampled_plies=0)
    _, metrics = _update(hyper=hyper)
    assert metrics["train/policy_positions"] == 0
    assert metrics["train/policy_loss"] == metrics["train/entropy"] == 0
    assert metrics["train/value_loss"] > 0
    assert metrics["train/minibatches_applied"] > 0


def test_the_minibatch_above_the_target_is_not_applied_nor_any_after_it():
    hyper = HYPER._replace(learning_rate=0.05)
    once, metrics = _update(hyper=hyper, config=WHOLE.replace(ppo_epochs=1))
    assert metrics["train/minibatches_applied"] == 1 and metrics["train/stopped_early"] == 0
    stopped, metrics = _update(hyper=hyper, config=WHOLE)
    assert metrics["train/stopped_early"] == 1
    assert metrics["train/minibatches"] == 2 and metrics["train/minibatches_applied"] == 1
    assert metrics["train/kl_last"] == metrics["train/kl_max"] > 1e-4
    assert stopped.updates == 1
    assert _distance(stopped.params, once.params) < 1e-6
    assert _distance(stopped.params, PARAMS) > 1e-2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_skipped_and_counted(value):
    rewards = ROLLOUT.rewards.copy()
    rewards[3] = value
    state, metrics = _update(ROLLOUT._replace(rewards=rewards))
    assert metrics["train/skipped_updates"] == metrics["train/minibatches"] > 0
    assert metrics["train/minibatches_applied"] == 0
    _assert_same(state, _state())


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_one_bad_position_spoils_its_own_minibatches_alone(value):
    log_probs = ROLLOUT.log_probs.copy()
    choices = legal_of(ROLLOUT.observations[5]).sum(axis=1)
    log_probs[5, int(np.argmax(choices))] = value
    state, metrics = _update(ROLLOUT._replace(log_probs=log_probs))
    assert metrics["train/skipped_updates"] == CONFIG.ppo_epochs
    assert metrics["train/minibatches_applied"] == metrics["train/minibatches"] - CONFIG.ppo_epochs
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert np.isfinite(metrics["train/policy_loss"])


def test_new_coefficients_and_sizes_do_not_compile_anew(caplog):
    def updates_compiled():
        """Messages about compiled updates since the last call; JAX names what pmap maps _fun."""
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return [message for message in messages if message.startswith("Compiling jit(_fun)")]

    update = make_update(NETWORK, CONFIG, CAPACITY, DEVICES)
    fewer = Trajectories(*(array[:7] for array in ROLLOUT))
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        state, _ = update(_state(), ROLLOUT, HYPER, KEY)
        assert updates_compiled()
        state, _ = update(state, ROLLOUT, Hyper(0, 1, 2, 3), KEY)
        state, _ = update(state, fewer, Hyper(1e-4, 0.5, np.float64(0.7), np.int64(12)), KEY)
        # Restored from disk: numpy arrays.
        update(jax.device_get(state), ROLLOUT, HYPER, jnp.array(KEY))
        assert not updates_compiled()


def test_a_state_of_numpy_arrays_is_not_written_to():
    state = _state()
    copy = jax.tree.map(np.array, state)
    _update(state=state)
    _assert_same(state, copy)


def test_the_rollout_may_be_written_to_at_once():
    update = _compiled()
    expected = jax.device_get(update(_state(), ROLLOUT, HYPER, KEY))
    rollout = Trajectories(*(array.copy() for array in ROLLOUT))
    found = update(_state(), rollout, HYPER, KEY)
    for array in rollout:
        array[:] = 0
    _assert_same(jax.device_get(found), expected)


SELECTIVE = CONFIG.replace(learn_fraction=0.25, value_fraction=0.2)


def test_a_selection_makes_fewer_minibatches():
    state, metrics = _update(config=SELECTIVE)
    choices = int((legal_of(ROLLOUT.observations)[INSIDE].sum(axis=1) > 1).sum())
    chosen = round(0.25 * choices)
    learned = chosen + round(0.2 * (POSITIONS - chosen))
    assert metrics["train/positions"] == POSITIONS
    assert metrics["train/policy_positions"] == chosen
    assert metrics["train/minibatches"] == 2 * -(-learned // 64) < 2 * -(-POSITIONS // 64)
    assert state.updates == metrics["train/minibatches_applied"] == metrics["train/minibatches"]
    assert metrics["train/first_ratio_deviation"] < 1e-5


def test_values_of_a_selection_learn_what_all_positions_teach():
    """The mean over many draws of the others is the loss of the values over all positions."""
    hyper = HYPER._replace(learning_rate=0.0)
    config = PPOConfig(minibatch_size=100_000, target_kl=None, learn_fraction=0.25)
    whole, drawn, biased = (
        _update(hyper=hyper, config=config.replace(value_fraction=fraction, ppo_epochs=epochs))[1]
        for fraction, epochs in ((1.0, 1), (0.2, 100), (0.0, 1))
    )
    expected = whole["train/value_loss"]
    np.testing.assert_allclose(drawn["train/value_loss"], expected, rtol=0.05)
    assert biased["train/value_loss"] > 1.5 * expected


def test_a_selection_learns_where_advantages_are_largest():
    """Without values an advantage is the reward, so only the games of large rewards teach."""
    params = PARAMS | {"value": jax.tree.map(np.zeros_like, PARAMS["value"])}
    few = np.arange(CAPACITY) % 8 == 0
    rewards = np.where(few[:, None], [1.0, 0.0], [0.01, 0.0]).astype(np.float32)
    lengths = np.where(few, ROLLOUT.lengths, ROLLOUT.lengths // 2).astype(np.int32)
    config = PPOConfig(
        gamma=1.0, gae_lambda=1.0, minibatch_size=100_000, ppo_epochs=1, target_kl=None,
        value_coef=0.0, normalize_advantages=False, learn_fraction=0.1, value_fraction=0.0,
    )  # fmt: skip
    rollout = ROLLOUT._replace(rewards=rewards, lengths=lengths)
    found, metrics = _update(rollout, state=_state(params), config=config)
    # Games that all have a small reward may say what they like.
    other = np.where(few[:, None], rewards, [-0.02, 0.0]).astype(np.float32)
    changed, _ = _update(rollout._replace(rewards=other), state=_state(params), config=config)
    assert metrics["train/policy_positions"] > 0
    _assert_same(found, changed)
    assert _distance(found.params, params) > 1e-4


def test_slices_of_a_minibatch_do_not_matter():
    whole = _update(slice_rows=64)
    parts = _update(slice_rows=7)
    assert _distance(whole, parts) < 1e-5


def test_a_minibatch_larger_than_the_rollout_is_one_minibatch():
    _, metrics = _update(hyper=HYPER._replace(learning_rate=0.0), config=WHOLE)
    assert metrics["train/minibatches_applied"] == WHOLE.ppo_epochs


def test_an_empty_rollout_changes_nothing():
    state, metrics = _update(ROLLOUT._replace(lengths=np.zeros_like(ROLLOUT.lengths)))
    _assert_same(state, _state())
    assert metrics["train/minibatches"] == metrics["train/positions"] == 0
    assert all(np.isfinite(value) for value in metrics.values())


def test_padding_has_no_influence():
    spoilt = Trajectories(*(array.copy() for array in ROLLOUT))
    beyond = np.arange(12) >= ROLLOUT.lengths[:, None]
    spoilt.observations[beyond] = 255
    spoilt.log_probs[beyond] = np.nan
    spoilt.actions[beyond] = 200
    _assert_same(_update(spoilt), _update())


def test_normalised_advantages_do_not_depend_on_the_scale_of_rewards():
    # Without values, advantages are discounted rewards.
    params = PARAMS | {"value": jax.tree.map(np.zeros_like, PARAMS["value"])}
    tripled = ROLLOUT._replace(rewards=ROLLOUT.rewards * 3)
    normalised = PPOConfig(ppo_epochs=1, target_kl=None, value_coef=0.0, entropy_coef=0.0)
    raw = normalised.replace(normalize_advantages=False)
    for config, expected in ((normalised, 1), (raw, 3)):
        small, large = (
            _update(data, HYPER._replace(entropy_coef=0.0), _state(params), config=config)[1]
            for data in (ROLLOUT, tripled)
        )
        ratio = large["train/grad_norm_pre_clip"] / small["train/grad_norm_pre_clip"]
        np.testing.assert_allclose(ratio, expected, rtol=1e-3)


def test_dropout_acts_in_the_learning_pass():
    config = NetworkConfig(**(vars(TINY_MLP) | {"dropout": 0.3}))
    network, _ = tiny_network(config)
    _, metrics = _update(network=network)
    assert metrics["train/first_ratio_deviation"] > 1e-3
    # Not in what is measured: parameters that stay give a divergence of 0.
    _, metrics = _update(hyper=HYPER._replace(learning_rate=0.0), network=network)
    assert metrics["train/kl_max"] < 1e-8
    np.testing.assert_allclose(metrics["train/behaviour_weight_mean"], 1, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": np.full(32, 13, np.int32)}, "lengths must lie between 0 and 12"),
        ({"actions": np.full((32, 12), 33, np.uint8)}, "actions must lie between 0 and 32"),
        ({"rewards": np.zeros(32, np.float32)}, r"rewards must have shape \(32, 2\), not \(32,\)"),
        ({"observations": np.zeros((32, 12, 18), np.uint8)}, "observations must have shape"),
    ],
)
def test_rollouts_that_do_not_fit_are_refused(changes, message):
    update = _compiled()
    with pytest.raises(ValueError, match=message):
        update(_state(), ROLLOUT._replace(**changes), HYPER, KEY)


def test_a_rollout_beyond_the_capacity_is_refused():
    update = make_update(NETWORK, CONFIG, 31, DEVICES)
    with pytest.raises(ValueError, match="32 trajectories exceeds the capacity of 31"):
        update(_state(), ROLLOUT, HYPER, KEY)


def test_it_learns_what_is_rewarded():
    """One decision a game: the last legal action wins, and the value comes to know it."""
    rows = random_positions(16)
    legal = legal_of(rows)
    rows, legal = (array[legal.sum(axis=1) > 1][:256] for array in (rows, legal))
    best = 32 - legal[:, ::-1].argmax(axis=1)
    config = PPOConfig(minibatch_size=64, ppo_epochs=4, target_kl=None)
    update = make_update(NETWORK, config, len(rows), DEVICES)
    hyper = HYPER._replace(learning_rate=1e-2, entropy_coef=0.0)
    step = make_policy_step(NETWORK, DEVICES)
    state = init_state(NETWORK, 0)
    shares = []
    for iteration in range(25):
        key = np.array([0, iteration], np.uint32)
        result = np.asarray(step(state.params, rows, key, 1.0, ALL_PLIES))
        wins = result[0] == best
        shares.append(wins.mean())
        rollout = Trajectories(
            rows[:, None],
            result[0].astype(np.uint8)[:, None],
            result[1].view(np.float32)[:, None],
            np.ones(len(rows), np.int32),
            np.stack([np.where(wins, 1, -1), np.zeros(len(rows))], axis=1).astype(np.float32),
        )
        state, metrics = update(state, rollout, hyper, key)
    assert shares[0] < 0.5
    assert shares[-1] > 0.9
    assert metrics["train/entropy"] < 0.5
