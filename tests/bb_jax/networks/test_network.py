"""Shapes, symmetries and parameters of the networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import NetworkConfig, build_network, features, init_params
from bb_jax.networks import network as network_module
from bb_jax.networks.network import AttentionLayer
from tests.bb_jax.games import TINY_MLP, TINY_TRANSFORMER, evaluate, random_positions, tiny_network

ROWS = jnp.array(random_positions(10))
BOTH = pytest.mark.parametrize("config", [TINY_MLP, TINY_TRANSFORMER], ids=["mlp", "transformer"])


@BOTH
@pytest.mark.parametrize("scoring", ["points", "animals"])
def test_outputs(config, scoring):
    network = build_network(config, scoring)
    logits, values = evaluate(network, init_params(network, 0), ROWS)
    assert logits.shape == (len(ROWS), 33) and values.shape == (len(ROWS), 2)
    assert logits.dtype == values.dtype == jnp.float32
    assert np.isfinite(logits).all() and np.isfinite(values).all()


@BOTH
@pytest.mark.parametrize("size", [4096, 4320])
def test_large_batches_say_what_small_ones_do(config, size):
    network, params = tiny_network(config)
    rows = jnp.array(random_positions(180)[:size])
    assert len(rows) == size
    parts = [evaluate(network, params, rows[start : start + 480]) for start in range(0, size, 480)]
    for found, expected in zip(
        evaluate(network, params, rows), zip(*parts, strict=True), strict=True
    ):
        np.testing.assert_allclose(found, jnp.concatenate(expected), atol=1e-5)


@BOTH
def test_over_afterstates_the_policy_is_one_score(config):
    network, params = tiny_network(config.replace(afterstates=True))
    scores, values = evaluate(network, params, ROWS)
    assert scores.shape == (len(ROWS), 1) and values.shape == (len(ROWS), 2)
    assert scores.dtype == values.dtype == jnp.float32


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(TINY_MLP, id="mlp"),
        pytest.param(TINY_TRANSFORMER, id="transformer", marks=pytest.mark.slow),
    ],
)
def test_a_separate_policy_shares_nothing_with_the_values(config):
    network, params = tiny_network(config.replace(separate_policy=True))

    def parts_behind(index):
        """Names of the parts that a result of the network depends on."""

        def total(params):
            return jnp.sum(evaluate(network, params, ROWS)[index] ** 2)

        gradient = jax.jit(jax.grad(total))(params)
        return {
            name
            for name, part in gradient.items()
            if any(leaf.any() for leaf in jax.tree.leaves(part))
        }

    assert parts_behind(0) == {"policy_torso", "policy"}
    assert parts_behind(1) == {"torso", "value"}


@BOTH
def test_the_first_policy_is_near_uniform(config):
    network = build_network(config)
    logits, _ = evaluate(network, init_params(network, 0), ROWS)
    assert np.abs(logits).max() < 0.2


@BOTH
def test_parameters_are_a_function_of_the_seed(config):
    network = build_network(config)
    first, again, other = (init_params(network, seed) for seed in (1, 1, 2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert any(
        (a != b).any() for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True)
    )


@BOTH
def test_every_parameter_matters(config):
    network, params = tiny_network(config)

    def total(params):
        logits, values = evaluate(network, params, ROWS)
        return jnp.sum(logits**2) + jnp.sum(values**2)

    for path, gradient in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(total))(params)):
        # A row for each species, owner, position or unit; the other axis is the width.
        rows = np.abs(gradient).reshape(gradient.shape[0], -1).sum(axis=1)
        matters = rows > 1e-6 * rows.max()
        if "dense_0" in str(path) or "context" in str(path):
            assert matters.mean() > 0.7, path  # some margins never occur in a few games
        else:
            assert matters.all(), path


@BOTH
def test_padding_rows_change_nothing(config):
    network, params = tiny_network(config)
    padded = evaluate(network, params, ROWS.at[200:].set(0))
    for full, partly in zip(evaluate(network, params, ROWS), padded, strict=True):
        np.testing.assert_array_equal(full[:200], partly[:200])
        assert np.isfinite(partly).all()


@BOTH
def test_parameters_stay_float32_in_bfloat16(config):
    config = NetworkConfig(**(vars(config) | {"compute_dtype": "bfloat16"}))
    network = build_network(config)
    params = init_params(network, 0)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    logits, values = evaluate(network, params, ROWS)
    assert logits.dtype == values.dtype == jnp.float32
    exact = NetworkConfig(**(vars(config) | {"compute_dtype": "float32"}))
    _, exact_values = evaluate(build_network(exact), params, ROWS)
    np.testing.assert_allclose(values, exact_values, atol=0.2)
    assert (np.asarray(values) != np.asarray(exact_values)).any()


@BOTH
def test_dropout_acts_with_a_key_alone(config):
    network = build_network(NetworkConfig(**(vars(config) | {"dropout": 0.5})))
    params = init_params(network, 0)
    _, still = evaluate(network, params, ROWS)
    _, again = evaluate(network, params, ROWS)
    np.testing.assert_array_equal(still, again)
    _, one = evaluate(network, params, ROWS, jax.random.PRNGKey(0))
    _, two = evaluate(network, params, ROWS, jax.random.PRNGKey(1))
    assert (np.asarray(one) != np.asarray(still)).any()
    assert (np.asarray(one) != np.asarray(two)).any()


def test_mlp_is_a_product_with_the_flat_features():
    network, params = tiny_network(TINY_MLP)
    flat = np.asarray(features.flat_features(ROWS, "points")).astype(np.float32)
    hidden = np.maximum(flat @ params["torso"]["dense_0"]["kernel"], 0)
    policy = params["policy"]
    logits, _ = evaluate(network, params, ROWS)
    np.testing.assert_allclose(logits, hidden @ policy["kernel"] + policy["bias"], atol=1e-5)


def test_a_hand_has_no_order(monkeypatch):
    network, params = tiny_network(TINY_TRANSFORMER)
    ordered = evaluate(network, params, ROWS)
    hand_one_hot = features.hand_one_hot
    monkeypatch.setattr(features, "hand_one_hot", lambda rows: hand_one_hot(rows)[:, ::-1])
    reversed_hands = jax.jit(lambda rows: network_module.evaluate(network, params, rows))(ROWS)
    for one, other in zip(ordered, reversed_hands, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_queue_has_an_order():
    network, params = tiny_network(TINY_TRANSFORMER)
    row = np.array(ROWS[-1:])
    row[0, :4] = [1, 14, 0, 0]
    swapped = row.copy()
    swapped[0, :4] = [14, 1, 0, 0]
    _, value = evaluate(network, params, jnp.array(row))
    _, swapped_value = evaluate(network, params, jnp.array(swapped))
    assert np.abs(value - swapped_value).min() > 1e-4


def test_an_empty_queue_uses_no_position():
    network, params = tiny_network(TINY_TRANSFORMER)
    rows = ROWS[np.asarray(ROWS)[:, 0] == 0]
    assert len(rows) > 0

    def total(params):
        logits, values = evaluate(network, params, rows)
        return jnp.sum(logits) + jnp.sum(values)

    gradient = jax.jit(jax.grad(total))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    np.testing.assert_array_equal(gradient["torso"]["queue_position"], 0)


@functools.partial(jax.jit, static_argnums=0)
def _initialize(layer, tokens, present):
    return layer.init(jax.random.PRNGKey(0), tokens, present, False)


@functools.partial(jax.jit, static_argnums=0)
def _apply(layer, params, tokens, present):
    return layer.apply(params, tokens, present, False)


def test_the_last_layer_is_a_layer_read_at_the_class_token():
    rng = np.random.default_rng(0)
    tokens = jnp.array(rng.normal(size=(5, 9, 16)), jnp.float32)
    present = jnp.array(rng.random((5, 9)) < 0.7).at[:, 0].set(True)
    whole, last = (AttentionLayer(TINY_TRANSFORMER, class_only=only) for only in (False, True))
    params = _initialize(whole, tokens, present)
    everywhere = np.asarray(_apply(whole, params, tokens, present))
    at_class_token = np.asarray(_apply(last, params, tokens, present))
    np.testing.assert_allclose(at_class_token, everywhere[:, :1], atol=1e-5)


def test_absent_tokens_are_not_attended_to():
    rng = np.random.default_rng(0)
    tokens = jnp.array(rng.normal(size=(2, 9, 16)), jnp.float32)
    present = jnp.arange(9)[None] < jnp.array([[5], [9]])
    layer = AttentionLayer(TINY_TRANSFORMER, class_only=True)
    params = _initialize(layer, tokens, present)
    changed = tokens.at[:, 5:].set(7.0)
    before = np.asarray(_apply(layer, params, tokens, present))
    after = np.asarray(_apply(layer, params, changed, present))
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


def test_unknown_scoring_is_refused():
    with pytest.raises(ValueError, match=r"scoring must be .*chess"):
        build_network(TINY_MLP, "chess")
