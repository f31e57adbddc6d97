"""Policies over afterstates against a network that is shown one afterstate at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_jax import make_greedy_policy, make_policy_step
from bb_jax.networks.afterstates import (
    evaluate_positions,
    logits_of_scores,
    make_afterstates,
    room_for,
)
from tests.bb_jax.games import (
    AFTERSTATE_MLP,
    AFTERSTATE_TRANSFORMER,
    ALL_PLIES,
    branching_position,
    evaluate,
    legal_of,
    random_positions,
    scores_one_by_one,
    tiny_network,
)

CONFIGS = {"mlp": AFTERSTATE_MLP, "transformer": AFTERSTATE_TRANSFORMER}
BOTH = pytest.mark.parametrize("kind", CONFIGS)
ROWS = random_positions(6)
LEGAL = legal_of(ROWS)
# In the tests of `logits_of_scores`.
POSITIONS = 8
_logits_of_scores = jax.jit(logits_of_scores)
KEY = np.array([7, 8], np.uint32)


@pytest.fixture(scope="module", params=CONFIGS)
def scored(request):
    """A network, its parameters, and its scores of the actions of `ROWS`."""
    network, params = tiny_network(CONFIGS[request.param])
    return network, params, scores_one_by_one(network, params, ROWS)


def _log_softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    scaled = np.where(LEGAL, scores.astype(np.float64) / temperature, -np.inf)
    scaled -= scaled.max(axis=1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))


def _best(scores: np.ndarray) -> np.ndarray:
    return np.where(LEGAL, scores, -np.inf).argmax(axis=1)


def test_logits_are_scores_and_values_those_of_the_positions(scored):
    network, params, scores = scored
    afterstates = make_afterstates(network, ROWS[None])
    afterstates = jax.tree.map(lambda part: jnp.array(part[0]), afterstates)
    evaluated = jax.jit(evaluate_positions, static_argnums=0)
    logits, values = evaluated(network, params, jnp.array(ROWS), afterstates)
    np.testing.assert_allclose(logits, scores, atol=1e-5)
    assert (np.asarray(logits)[~LEGAL] == 0).all()
    np.testing.assert_allclose(values, evaluate(network, params, jnp.array(ROWS))[1], atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_policy_step_samples_the_softmax_of_the_scores(scored, temperature):
    network, params, scores = scored
    step = make_policy_step(network, jax.devices()[:1])
    actions, log_probs = np.asarray(step(params, ROWS, KEY, temperature, ALL_PLIES))
    expected = _log_softmax(scores, temperature)[np.arange(len(ROWS)), actions]
    np.testing.assert_allclose(log_probs.view(np.float32), expected, atol=1e-4)
    assert LEGAL[np.arange(len(ROWS)), actions].all()
    assert (actions != _best(scores)).any()
    greedy = np.asarray(step(params, ROWS, KEY, temperature, 0))[0]
    np.testing.assert_array_equal(greedy, _best(scores))


def test_a_policy_step_for_padding_chooses_action_0(scored):
    network, params, _ = scored
    step = make_policy_step(network, jax.devices()[:1])
    actions, log_probs = np.asarray(step(params, np.zeros((5, 19), np.uint8), KEY, 1.0, 24))
    assert (actions == 0).all() and (log_probs == 0).all()


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 100])
def test_a_greedy_policy_takes_any_number_of_rows(scored, size):
    network, params, scores = scored
    actions = make_greedy_policy(network, params, 32)(ROWS[:size])
    np.testing.assert_array_equal(actions, _best(scores)[:size])


@BOTH
def test_a_batch_beyond_the_usual_room_is_no_other(kind):
    network, params = tiny_network(CONFIGS[kind])
    row = branching_position()
    expected = scores_one_by_one(network, params, row[None])[0]
    batch = np.repeat(row[None], 64, axis=0)
    assert legal_of(batch).sum() > room_for(64)
    expected_action = np.where(legal_of(row), expected, -np.inf).argmax()
    assert (make_greedy_policy(network, params, 64)(batch) == expected_action).all()
    step = make_policy_step(network, jax.devices()[:1])
    assert (np.asarray(step(params, batch, KEY, 1.0, 0))[0] == expected_action).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.integers(0, 32), max_size=15), max_size=POSITIONS), st.data())
def test_logits_of_scores(legal_sets, data):
    legal = np.zeros((POSITIONS, 33), bool)
    expected = np.zeros((POSITIONS, 33), np.float32)
    scores: list[float] = []
    first = []
    for index, actions in enumerate(legal_sets):
        scores += [-1.0] * data.draw(st.integers(0, 2))
        first.append(len(scores))
        for action in sorted(actions):
            legal[index, action] = True
            expected[index, action] = len(scores) + 0.5
            scores.append(len(scores) + 0.5)
    # Of the same shapes each time: other shapes are compiled anew.
    first += [len(scores)] * (POSITIONS - len(first))
    scores += [-1.0] * (1 + 17 * POSITIONS - len(scores))
    found = _logits_of_scores(jnp.array(scores), jnp.array(first, jnp.int32), jnp.array(legal))
    np.testing.assert_array_equal(found, expected)
