"""Batches of any size for functions that are compiled for a few sizes."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from bb_jax.placement import uploads


def pad_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """Adds rows of zeros at the end: [B, ...] -> [rows, ...].

    An array that has so many rows already is returned as it is.
    """
    if len(array) == rows:
        return array
    padded = np.zeros((rows, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded


def in_batches(
    function: Callable[..., jax.Array],
    arrays: Sequence[np.ndarray],
    sizes: Sequence[int],
    result: np.ndarray,
) -> np.ndarray:
    """Calls a function for batches of fixed sizes and joins the results.

    Every call is dispatched before the first result is fetched.

    Args:
      function: takes arrays [S, ...], one for each of `arrays`, and returns an array [S, ...]. Each
        row of the result depends on its own row alone.
      arrays: the arguments, [B, ...] with any B. They must not change during the call.
      sizes: the values of S, the largest first. The last batch is padded with zeros to the smallest
        one.
      result: filled with the results, [B, ...].

    Returns:
      `result`.
    """
    pending = []
    for start, size in _spans(len(result), sizes):
        batch = [pad_rows(array[start : start + size], size) for array in arrays]
        with uploads():
            pending.append((start, function(*batch)))
    for start, values in pending:
        part = jax.device_get(values)[: len(result) - start]
        result[start : start + len(part)] = part
    return result


def _spans(rows: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(start, size) of the batches that cover so many rows; only the last may reach beyond them."""
    spans = []
    start = 0
    for size in sizes:
        while rows - start >= size or (size == sizes[-1] and start < rows):
            spans.append((start, size))
            start += size
    return spans
