"""Batches of fixed sizes: every row once, zeros behind the last."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax.batches import in_batches, pad_rows


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 16, 17, 23, 40])
@pytest.mark.parametrize("sizes", [(4,), (16, 4), (16, 4, 1)])
def test_results_are_those_of_each_row_in_few_compiled_sizes(rows, sizes):
    traced = []

    @jax.jit
    def weighted(numbers: jax.Array, weights: jax.Array) -> jax.Array:
        traced.append(len(numbers))
        return numbers * weights[:, None]

    numbers = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    weights = np.arange(rows, dtype=np.float32) + 1
    result = np.full((rows, 2), np.nan, np.float32)
    assert in_batches(weighted, (numbers, weights), sizes, result) is result
    np.testing.assert_array_equal(result, numbers * weights[:, None])
    assert len(traced) == len(set(traced)) and set(traced) <= set(sizes)


def test_the_last_batch_ends_with_zeros():
    batches = []

    def keep(part: np.ndarray) -> jax.Array:
        batches.append(part)
        return jnp.asarray(part)

    in_batches(keep, (np.ones(9, np.uint8),), (4,), np.empty(9, np.uint8))
    assert [part.tolist() for part in batches] == [[1] * 4, [1] * 4, [1, 0, 0, 0]]


def test_results_may_be_of_another_type_than_the_one_computed():
    result = in_batches(
        lambda part: jnp.asarray(part + 1), (np.arange(3),), (3,), np.empty(3, np.uint8)
    )
    assert result.dtype == np.uint8 and result.tolist() == [1, 2, 3]


def test_padding_keeps_what_is_there():
    array = np.arange(6, dtype=np.int16).reshape(3, 2)
    assert pad_rows(array, 3) is array
    padded = pad_rows(array, 5)
    assert padded.dtype == np.int16
    assert padded.tolist() == [*array.tolist(), [0, 0], [0, 0]]
