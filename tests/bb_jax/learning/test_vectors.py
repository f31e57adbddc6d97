"""A state that is carried as vectors is the same state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax.learning.optimizer import make_optimizer
from bb_jax.learning.state import LearnerState, init_state, take_step
from bb_jax.learning.vectors import Carried
from bb_jax.ppo.totals import Totals
from tests.bb_jax.games import TINY_MLP, tiny_network

NETWORK, PARAMS = tiny_network(TINY_MLP)


def some_state() -> LearnerState:
    """A state whose moments are not zero."""
    state = init_state(NETWORK, 0)
    optimizer = make_optimizer(1.0)
    state, _ = take_step(optimizer, state, PARAMS, jnp.float32(0.1), jnp.bool_(True))
    return jax.device_get(state)


def assert_same(found, expected):
    assert str(jax.tree.structure(found)) == str(jax.tree.structure(expected))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("as_vectors", [True, False])
def test_a_state_comes_back_as_it_was(as_vectors):
    state = some_state()
    carried = Carried(state, as_vectors)
    packed = carried.pack_state()
    assert_same(carried.unpack_state(packed), state)
    assert_same(carried.params(packed), state.params)
    # Parameters, both moments, and two counts.
    assert (len(jax.tree.leaves(packed)) == 5) == as_vectors


@pytest.mark.parametrize("applies", [True, False])
def test_a_step_on_vectors_is_the_step(applies):
    state = some_state()
    carried = Carried(state, as_vectors=True)
    # Its norm is cut off at 1.
    optimizer, rate, wanted = make_optimizer(1.0), jnp.float32(0.1), jnp.bool_(applies)
    expected, norm = take_step(optimizer, state, PARAMS, rate, wanted)
    gradient = carried.pack(PARAMS)
    packed, other = take_step(optimizer, carried.pack_state(), gradient, rate, wanted)
    np.testing.assert_allclose(other, norm, rtol=1e-5)
    found = carried.unpack_state(packed)
    for one, whole in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, whole, rtol=1e-5, atol=1e-7)


def test_flags_are_numbers_in_a_vector_and_flags_again():
    totals = Totals.zeros()._replace(stopped=jnp.bool_(True), kl_max=jnp.float32(0.5))
    carried = Carried(some_state(), as_vectors=True)
    packed = carried.pack(totals)
    assert packed.dtype == np.float32
    assert_same(carried.unpack(packed, Totals.zeros()), totals)
