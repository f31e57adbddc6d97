"""Acting for batches: samples, best actions, and what they depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import make_greedy_policy, make_policy_step, make_sampling_policy, replicate
from bb_jax.networks.distributions import masked_log_softmax
from bb_sim.rules.observation import TURN_BYTE
from tests.bb_jax.games import ALL_PLIES, evaluate, legal_of, random_positions, tiny_network

NETWORK, PARAMS = tiny_network()
ROWS = random_positions(12)
LEGAL = legal_of(ROWS)
STEP = make_policy_step(NETWORK, jax.devices()[:1])
KEY = np.array([7, 8], np.uint32)


def _act(rows=ROWS, key=KEY, temperature=1.0, sampled_plies=ALL_PLIES):
    """Actions and log-probabilities."""
    result = np.asarray(STEP(PARAMS, rows, key, temperature, sampled_plies))
    assert result.dtype == np.uint32 and result.shape == (2, len(rows))
    return result[0], result[1].view(np.float32)


def _log_probs(temperature: float) -> np.ndarray:
    logits, _ = evaluate(NETWORK, PARAMS, jnp.array(ROWS))
    return np.asarray(masked_log_softmax(logits, jnp.array(LEGAL), temperature))


def _best() -> np.ndarray:
    return _log_probs(1.0).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_log_probabilities_are_those_of_the_tempered_policy(temperature):
    actions, log_probs = _act(temperature=temperature)
    expected = _log_probs(temperature)[np.arange(len(ROWS)), actions]
    np.testing.assert_allclose(log_probs, expected, atol=1e-5)
    assert LEGAL[np.arange(len(ROWS)), actions].all()


def test_from_sampled_plies_on_the_best_action_is_chosen():
    actions, log_probs = _act(sampled_plies=10, temperature=3.0)
    greedy = ROWS[:, TURN_BYTE] >= 10
    np.testing.assert_array_equal(actions[greedy], _best()[greedy])
    assert (log_probs[greedy] == 0).all()
    assert (log_probs[~greedy] < 0).any()
    assert (actions[~greedy] != _best()[~greedy]).any()


def test_samples_depend_on_the_key_and_the_place_in_the_batch():
    rows = np.repeat(ROWS[:1], len(ROWS), axis=0)
    first, again, other = (_act(rows, key)[0] for key in (KEY, KEY, KEY + 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len(set(first)) > 1


def test_low_temperatures_are_greedy():
    np.testing.assert_array_equal(_act(temperature=1e-4)[0], _best())


def test_padding_gets_action_0():
    actions, log_probs = _act(np.zeros((len(ROWS), 19), np.uint8))
    assert (actions == 0).all() and (log_probs == 0).all()


def test_new_coefficients_do_not_compile_anew(caplog):
    step = make_policy_step(NETWORK, jax.devices()[:1])
    params = replicate(PARAMS, jax.devices()[:1])
    np.asarray(step(params, ROWS, KEY, 1.0, 24))
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        np.asarray(step(params, ROWS, KEY, 2, np.int64(3)))
        np.asarray(step(replicate(PARAMS, jax.devices()[:1]), ROWS, jnp.array(KEY), 0.5, 0))
    assert not [record for record in caplog.records if "step_on_device" in record.getMessage()]


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 100])
def test_a_greedy_policy_takes_any_number_of_rows(size):
    policy = make_greedy_policy(NETWORK, PARAMS, 32)
    actions = policy(ROWS[:size])
    assert actions.dtype == np.uint8
    np.testing.assert_array_equal(actions, _best()[:size])


@pytest.mark.parametrize("batch_size", [1, 50, 4096])
def test_a_sampling_policy_inverts_the_tempered_distribution_of_each_row(batch_size):
    uniforms = np.random.default_rng(0).random(len(ROWS), np.float32)
    actions = make_sampling_policy(NETWORK, PARAMS, batch_size, 2.0)(ROWS, uniforms)
    cumulative = np.exp(_log_probs(2.0).astype(float)).cumsum(axis=1)
    expected = (cumulative > uniforms[:, None]).argmax(axis=1)
    clear = np.abs(cumulative - uniforms[:, None]).min(axis=1) > 1e-5
    assert actions.dtype == np.uint8 and clear.sum() > 100
    np.testing.assert_array_equal(actions[clear], expected[clear])
    assert LEGAL[np.arange(len(ROWS)), actions].all()


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="batch_size must be a positive integer, not 0"):
        make_greedy_policy(NETWORK, PARAMS, 0)
    with pytest.raises(ValueError, match="temperature must be a number above 0, not 0"):
        make_sampling_policy(NETWORK, PARAMS, 8, 0.0)


def test_replicated_trees_share_no_memory():
    array = np.ones(1 << 16, np.float32)
    copy = replicate({"a": array, "b": jnp.zeros(3)})
    array[:] = 5
    assert (np.asarray(copy["a"]) == 1).all()
    assert isinstance(copy["b"], jax.Array)
