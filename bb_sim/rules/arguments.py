"""Checks of arguments. A message says in one sentence which argument is wrong."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def checked_int(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """`value` as an int.

    Raises:
        TypeError: `value` is not an integer.
        ValueError: `value` is not `low` to `high`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {number}")
    return number


def as_plain_array(array: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """`array` as one that C code can read: C-contiguous, aligned and of no subclass."""
    contiguous = np.ascontiguousarray(array, dtype)
    plain: NDArray[Any] = contiguous if contiguous.flags.aligned else contiguous.copy()
    return plain


def checked_array(name: str, array: Any, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """`array` as an array that C code can read.

    Raises:
        ValueError: `array` has another dtype or shape.
    """
    array = as_plain_array(array)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} must be a {np.dtype(dtype).name} array of shape {shape}")
    checked: NDArray[Any] = array
    return checked
