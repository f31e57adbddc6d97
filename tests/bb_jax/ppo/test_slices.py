"""Slices hold every position once, as many as fit, and change nothing about it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bb_jax.ppo.slices import Room, count_rows, evaluate_slice, room_of, take_slice
from bb_sim.rules.afterstates import expand_afterstates
from tests.bb_jax.games import (
    AFTERSTATE_MLP,
    AFTERSTATE_TRANSFORMER,
    SEPARATE_AFTERSTATE_MLP,
    TINY_MLP,
    branching_position,
    evaluate,
    legal_of,
    random_positions,
    scores_one_by_one,
    tiny_network,
)

BATCH = 40
_take_slice = jax.jit(take_slice, static_argnums=3)
_evaluate_slice = jax.jit(evaluate_slice, static_argnums=(0, 6))


def _slices(counts, begin, stop, room):
    """The indices of each slice."""
    padded = np.full(BATCH, 7, np.int32)
    padded[: len(counts)] = counts
    row_ends = jnp.array(np.cumsum(padded), jnp.int32)
    taken = []
    while begin < stop:
        part = _take_slice(row_ends, jnp.int32(begin), jnp.int32(stop), room)
        assert part.indices.shape == part.inside.shape == (room.positions,)
        assert (np.asarray(part.indices) < BATCH).all()
        taken.append(np.asarray(part.indices)[np.asarray(part.inside)].tolist())
        assert int(part.end) > begin
        begin = int(part.end)
    return taken


def _slices_by_hand(counts, begin, stop, room):
    taken: list[list[int]] = []
    rows = room.rows + 1
    for position in range(begin, stop):
        if rows + counts[position] > room.rows or len(taken[-1]) == room.positions:
            taken.append([])
            rows = 0
        taken[-1].append(position)
        rows += counts[position]
    return taken


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 16), min_size=1, max_size=BATCH),
    st.integers(0, BATCH),
    st.integers(0, BATCH),
    st.sampled_from([Room(16, 8), Room(34, 17), Room(50, 3), Room(1000, 500)]),
)
@example([16] * BATCH, 0, BATCH, Room(16, 8))
def test_slices_are_those_that_fit(counts, begin, stop, room):
    begin, stop = sorted(min(bound, len(counts)) for bound in (begin, stop))
    assert _slices(counts, begin, stop, room) == _slices_by_hand(counts, begin, stop, room)


def test_without_afterstates_a_position_is_a_row():
    network, params = tiny_network(TINY_MLP)
    rows = jnp.array(random_positions(2))
    assert (np.asarray(count_rows(network, rows)) == 1).all()
    room = room_of(network, len(rows))
    assert room == Room(len(rows), len(rows))
    nothing = jnp.zeros(len(rows), jnp.int32), jnp.ones(len(rows), bool), jnp.zeros((0, 19))
    found = _evaluate_slice(network, params, rows, *nothing, room)
    jax.tree.map(np.testing.assert_array_equal, found, evaluate(network, params, rows))


@pytest.mark.parametrize(
    "config", [AFTERSTATE_MLP, SEPARATE_AFTERSTATE_MLP, AFTERSTATE_TRANSFORMER]
)
@pytest.mark.parametrize("size", [1, 60])
def test_a_slice_is_evaluated_like_its_afterstates_one_by_one(config, size):
    network, params = tiny_network(config)
    rows = random_positions(5)[::2][:60]
    # Twice the branching position, so that an afterstate may be wanted twice.
    rows[7] = rows[9] = branching_position()
    table, starts = expand_afterstates(rows)
    inside = np.arange(60) < size
    needed = legal_of(rows[:size]).sum() + size
    room = Room(room_of(network, needed).rows, 60)
    arrays = [jnp.array(array) for array in (rows, starts[:-1], inside, table)]
    logits, values = _evaluate_slice(network, params, *arrays, room)
    np.testing.assert_allclose(
        logits[:size], scores_one_by_one(network, params, rows[:size]), atol=1e-5
    )
    np.testing.assert_allclose(
        values[:size], evaluate(network, params, arrays[0])[1][:size], atol=1e-5
    )


def test_any_position_fits_into_any_slice():
    network, _ = tiny_network(AFTERSTATE_MLP)
    everything_legal = np.zeros((1, 19), np.uint8)
    everything_legal[0, 14:] = 255
    for rows in (1, 20, 34, 35, 512):
        assert count_rows(network, jnp.array(everything_legal))[0] <= room_of(network, rows).rows
