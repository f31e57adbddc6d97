"""The selection of positions against sorting and counting."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bb_jax.ppo.selection import draw_order, largest, partition

SLOTS = 60
LARGEST = jax.jit(largest, static_argnums=2)
PARTITION = jax.jit(partition)
DRAW = jax.jit(draw_order, static_argnums=2)
FRACTIONS = (0.1, 0.25, 0.5, 1.0)


@functools.cache
def _masks(seed):
    """Valid slots, which come first, and the chosen ones among them."""
    rng = np.random.default_rng(seed)
    valid = np.arange(SLOTS) < rng.integers(0, SLOTS + 1)
    return valid, valid & (rng.random(SLOTS) < 0.3)


@settings(max_examples=100, deadline=None)
@given(
    # Few different values: many are equal.
    sizes=st.lists(st.sampled_from([0.0, 1e-40, 0.5, 0.7, 1e30]), min_size=SLOTS, max_size=SLOTS),
    mask=st.lists(st.booleans(), min_size=SLOTS, max_size=SLOTS),
    fraction=st.sampled_from(FRACTIONS),
)
def test_the_largest_against_sorting(sizes, mask, fraction):
    found = np.asarray(LARGEST(np.array(sizes, np.float32), np.array(mask), fraction))
    inside = [index for index in range(SLOTS) if mask[index]]
    ranked = sorted(inside, key=lambda index: -sizes[index])
    count = int(np.round(np.float32(fraction) * np.float32(len(inside))))
    assert np.flatnonzero(found).tolist() == sorted(ranked[:count])


def test_an_error_among_the_sizes_is_chosen_first():
    sizes = np.array([3.0, np.inf, 5.0, np.nan], np.float32)
    found = LARGEST(sizes, np.ones(4, bool), 0.25)
    np.testing.assert_array_equal(found, [False, False, False, True])


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_hold_every_position_once(seed):
    valid, chosen = _masks(seed)
    parts = PARTITION(chosen, valid)
    assert (parts.chosen, parts.others) == (chosen.sum(), (valid & ~chosen).sum())
    expected = np.concatenate([np.flatnonzero(chosen), np.flatnonzero(valid & ~chosen)])
    np.testing.assert_array_equal(parts.positions[: len(expected)], expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.0, 0.2, 1.0])
def test_a_pass_has_all_that_are_chosen_and_a_share_of_the_others(seed, fraction):
    valid, chosen = _masks(seed)
    order, count = DRAW(np.array([seed, 7], np.uint32), PARTITION(chosen, valid), fraction)
    learned = np.asarray(order)[:count]
    others = np.flatnonzero(valid & ~chosen)
    share = int(np.round(np.float32(fraction) * np.float32(len(others))))
    assert count == chosen.sum() + share
    assert len(set(learned)) == count
    assert set(np.flatnonzero(chosen)) <= set(learned) <= set(np.flatnonzero(valid))


def test_passes_draw_others_anew_and_each_equally_often():
    valid = np.arange(SLOTS) < 50
    chosen = np.arange(SLOTS) < 20
    parts = PARTITION(chosen, valid)
    counts = np.zeros(SLOTS, int)
    firsts = np.zeros(SLOTS, int)
    passes = 2000
    draw = jax.jit(jax.vmap(lambda key: draw_order(key, parts, 0.2)))
    for learned in np.asarray(draw(jax.random.split(jnp.zeros(2, jnp.uint32), passes))[0]):
        counts[learned[:26]] += 1
        firsts[learned[0]] += 1
    assert (counts[:20] == passes).all() and (counts[50:] == 0).all()
    # Six of thirty, and the first of a pass is any of 26: within five standard deviations.
    np.testing.assert_allclose(counts[20:50], 0.2 * passes, atol=5 * np.sqrt(passes * 0.16))
    assert firsts[:20].min() > passes / 26 - 5 * np.sqrt(passes / 26)


def test_the_order_does_not_depend_on_the_room():
    valid, chosen = _masks(3)
    wide = [jnp.concatenate([jnp.array(mask), jnp.zeros(13, bool)]) for mask in (chosen, valid)]
    key = np.array([1, 2], np.uint32)
    order, count = DRAW(key, PARTITION(chosen, valid), 0.4)
    wider, wider_count = DRAW(key, PARTITION(*wide), 0.4)
    assert count == wider_count
    np.testing.assert_array_equal(order[:count], wider[:count])
