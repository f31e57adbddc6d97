"""The permutation is one, is random, and depends on nothing but key and count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax.ppo.permutation import permutation

PERMUTE = jax.jit(permutation, static_argnums=2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 16, 17, 100, 255, 256, 257])
def test_it_is_a_permutation_followed_by_padding(count):
    for seed in range(5):
        found = np.asarray(PERMUTE(jax.random.PRNGKey(seed), jnp.int32(count), 257))
        assert sorted(found[:count]) == list(range(count))
        np.testing.assert_array_equal(found[count:], np.arange(count, 257))


def test_capacity_does_not_matter():
    key, count = jax.random.PRNGKey(3), jnp.int32(90)
    np.testing.assert_array_equal(PERMUTE(key, count, 90), PERMUTE(key, count, 257)[:90])


@pytest.mark.parametrize("count", [7, 16, 40])
def test_every_place_is_equally_likely_for_every_number(count):
    draws = 4000
    keys = jax.random.split(jax.random.PRNGKey(0), draws)
    found = np.asarray(jax.vmap(lambda key: permutation(key, jnp.int32(count), count))(keys))
    places = np.zeros((count, count))
    for place in range(count):
        places[place] = np.bincount(found[:, place], minlength=count)
    expected = draws / count
    chi_squared = ((places - expected) ** 2 / expected).sum()
    freedom = (count - 1) ** 2
    assert abs(chi_squared - freedom) < 6 * np.sqrt(2 * freedom)


def test_neighbours_are_parted():
    found = np.asarray(PERMUTE(jax.random.PRNGKey(1), jnp.int32(10_000), 10_000))
    steps = np.diff(found)
    assert (np.abs(steps) < 100).mean() < 0.04
    assert abs(np.corrcoef(found, np.arange(10_000))[0, 1]) < 0.05
