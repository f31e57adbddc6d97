"""Two networks merged: what the one that comes out says, and how it is learned further."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import NetworkConfig
from bb_jax.networks.merging import merge_learners
from bb_jax.networks.network import build_network, init_params
from tests.bb_jax.games import evaluate, random_positions, tiny_network

ROWS = jnp.array(random_positions(4))
SEPARATE = pytest.mark.parametrize("separate", [True, pytest.param(False, marks=pytest.mark.slow)])


def three(separate):
    """A network of 16-8, one of 12, and the one that they make."""
    first = NetworkConfig(kind="mlp", hidden_layers=(16, 8), dropout=0.0, separate_policy=separate)
    second = first.replace(hidden_layers=(12,))
    merged = first.replace(second_tower=(12,))
    return tiny_network(first, 1), tiny_network(second, 2), build_network(merged)


def learner(params, mu=None, nu=None, count=3):
    moments = {"count": np.int32(count), "mu": mu or params, "nu": nu or params}
    return jax.tree.map(
        np.asarray, {"params": params, "opt_state": {"0": {}, "1": moments}, "updates": count}
    )


@SEPARATE
def test_policy_and_values_are_the_mean_of_both(separate):
    (first, params), (second, others), network = three(separate)
    merged = merge_learners(learner(params), learner(others))["params"]
    expected = jax.tree.map(jnp.shape, init_params(network, 0))
    assert jax.tree.map(jnp.shape, merged) == expected
    outputs = [evaluate(first, params, ROWS), evaluate(second, others, ROWS)]
    for found, one, other in zip(evaluate(network, merged, ROWS), *outputs, strict=True):
        assert float(jnp.abs(one - other).max()) > 0.1
        np.testing.assert_allclose(found, (one + other) / 2, atol=1e-5)


@SEPARATE
def test_moments_are_those_of_the_merged_networks_gradients(separate):
    (first, params), (second, others), network = three(separate)
    weights = jax.random.normal(jax.random.PRNGKey(5), (len(ROWS), 35))

    def gradient(network, params):
        # Linear in what the network says, so that what it says does not matter.
        def total(params):
            return jnp.sum(weights * jnp.concatenate(evaluate(network, params, ROWS), axis=1))

        return jax.jit(jax.grad(total))(params)

    def squares(tree):
        return jax.tree.map(jnp.square, tree)

    one, other = gradient(first, params), gradient(second, others)
    merged = merge_learners(
        learner(params, one, squares(one), 7), learner(others, other, squares(other), 4)
    )
    adam = merged["opt_state"]["1"]
    expected = gradient(network, merged["params"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-4), adam["mu"], expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 1e-3, 1e-3), adam["nu"], squares(expected)
    )
    assert adam["count"] == merged["updates"] == 7
