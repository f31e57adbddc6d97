"""Values that a caller of the simulator may pass by mistake or by malice, from sound ones."""

from __future__ import annotations

import array
import math
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np


class HostileError(Exception):
    """Raised by a hostile object itself; a function may pass it on."""


class _BadIndex:
    def __index__(self) -> int:
        raise HostileError("no index")


class _OddIndex:
    def __index__(self) -> int:
        return 2**70


class _BadArray:
    def __array__(self, *_: object, **__: object) -> Any:
        raise HostileError("no array")


class _WrongArray:
    def __array__(self, *_: object, **__: object) -> Any:
        return np.full((3, 3), np.nan)


class _BadLength:
    def __len__(self) -> int:
        raise HostileError("no length")

    def __getitem__(self, index: object) -> Any:
        raise HostileError("no item")


class _EqualsAll:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class _EqualsNothing:
    def __eq__(self, other: object) -> bool:
        raise HostileError("no comparison")

    def __hash__(self) -> int:
        raise HostileError("no hash")


_INTEGERS = (
    -1, 0, 1, 2, 3, 12, 16, 24, 32, 33, 34, 40, 127, 128, 254, 255, 256, 2**15, 2**31, 2**32,
    2**32 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**100, -(2**31), -(2**63), -(2**64),
)  # fmt: skip
_NUMBERS = (
    0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e308, math.nan, math.inf, -math.inf, 2.0**63, 1j,
    Fraction(1, 3), Decimal("NaN"), True, False, np.bool_(True), np.float32(2), np.float64("nan"),
    np.uint64(2**64 - 1), np.int8(-1), np.datetime64("now"), np.array(3), np.array([3]),
)  # fmt: skip
_TEXTS = (
    "", " ", "random", "heuristic", "noisy", "points", "animals", "hidden", "lion", "Points",
    "x" * 100_000, "\0", "\ud800", "random\0", b"points", b"", np.str_("points"), np.str_("noisy"),
)  # fmt: skip
_DTYPES = (
    "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "g", "c8", "?", "O", "S3",
    "U2", "M8[s]", "m8[s]", "V4", [("a", "u1"), ("b", "f4")],
)  # fmt: skip
#: More elements than any machine has bytes.
_HUGE = 2**45


def any_value(rng: Random) -> Any:
    """A value of any kind."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(_INTEGERS)
    if kind == 1:
        return rng.choice(_NUMBERS)
    if kind == 2:
        return rng.choice(_TEXTS)
    if kind == 3:
        return any_array(rng)
    return rng.choice(
        (
            None, [], (), {}, set(), [1], [[1], [2, 3]], [None], [[]], ["a"], {1: 2}, ..., object(),
            int, np, len, range(3), iter([1]), (x for x in (1, 2)), memoryview(b"abc"),
            bytearray(19), array.array("d", [1.0]), slice(None), np.dtype("u1"), 1j,
            _BadIndex(), _OddIndex(), _BadArray(), _WrongArray(), _BadLength(), _EqualsAll(),
            _EqualsNothing(), ValueError, lambda: None, nested(rng.choice((3, 70, 900))),
        )
    )  # fmt: skip


def nested(depth: int) -> list[Any]:
    """A list in a list, and so on."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def any_array(rng: Random) -> np.ndarray:
    """An array of any dtype and shape, with any bits."""
    shape = tuple(rng.choice((0, 1, 2, 3, 11, 12, 19, 33)) for _ in range(rng.randrange(4)))
    dtype = np.dtype(rng.choice(_DTYPES))
    if dtype.hasobject:
        return np.full(shape, rng.choice((None, 1, 2**70, "a", 0.5)), object)
    if dtype.kind == "U":
        # Not all bits are characters.
        return np.full(shape, rng.choice(("", "a", "\U0010ffff")), dtype)
    count = math.prod(shape) * dtype.itemsize
    return np.frombuffer(rng.randbytes(count), np.uint8).copy().view(dtype).reshape(shape)


def hostile_number(value: Any, rng: Random) -> Any:
    """Something in place of an integer, a real number or a truth value."""
    if isinstance(value, int) and rng.random() < 0.3:
        return value + rng.choice((-1, 1, 2**8, 2**16, 2**32, 2**64, -(2**32)))
    return rng.choice((*_INTEGERS, *_NUMBERS)) if rng.random() < 0.8 else any_value(rng)


def hostile_text(rng: Random) -> Any:
    """Something in place of a name."""
    return rng.choice(_TEXTS) if rng.random() < 0.7 else any_value(rng)


def hostile_array(good: np.ndarray, rng: Random, others: Sequence[np.ndarray]) -> Any:
    """Something in place of an array; it may lie in the memory of one of `others`."""
    if good.size >= _HUGE:
        return good
    changed = rng.choice(_ARRAY_CHANGES)(good, rng)
    if isinstance(changed, np.ndarray) and changed.size >= _HUGE:
        return changed
    if isinstance(changed, np.ndarray) and others and rng.random() < 0.2:
        changed = _overlapping(changed, rng, others)
    if isinstance(changed, np.ndarray) and rng.random() < 0.3:
        changed = rng.choice(_ARRAY_CHANGES)(changed, rng)
    return changed


# --- Changes of an array --------------------------------------------------------------------------


def _as_dtype(good: np.ndarray, rng: Random) -> Any:
    dtype = np.dtype(rng.choice(_DTYPES))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return good.astype(dtype)
        except (RuntimeError, TypeError, ValueError):
            return np.zeros(good.shape, dtype)


def _swapped(good: np.ndarray, rng: Random) -> Any:
    return good.astype(good.dtype.newbyteorder())


def _cut(good: np.ndarray, rng: Random) -> Any:
    if not good.ndim:
        return good
    axis = rng.randrange(good.ndim)
    return np.delete(good, slice(0, rng.choice((1, None))), axis)


def _longer(good: np.ndarray, rng: Random) -> Any:
    return np.concatenate([good, good[:1]]) if good.ndim else np.array([good, good])


def _reshaped(good: np.ndarray, rng: Random) -> Any:
    return rng.choice(
        (good.ravel(), good[None], good[..., None], good.T, good.reshape(-1, 1), good.squeeze())
    )


def _scalar(good: np.ndarray, rng: Random) -> Any:
    return np.array(good.flat[0]) if good.size else np.zeros((), good.dtype)


def _huge(good: np.ndarray, rng: Random) -> Any:
    # All elements are one and the same.
    return np.broadcast_to(np.zeros((), good.dtype), (_HUGE, *good.shape[1:]))


def _repeated(good: np.ndarray, rng: Random) -> Any:
    return np.broadcast_to(good[:1], good.shape) if good.ndim else good


def _strided(good: np.ndarray, rng: Random) -> Any:
    if not good.ndim:
        return good
    axis = rng.randrange(good.ndim)
    wide = np.repeat(good, 2, axis)
    return wide[(slice(None),) * axis + (slice(None, None, 2),)]


def _reversed(good: np.ndarray, rng: Random) -> Any:
    return good[::-1].copy()[::-1] if good.ndim else good


def _fortran(good: np.ndarray, rng: Random) -> Any:
    return np.asfortranarray(good)


def _unaligned(good: np.ndarray, rng: Random) -> Any:
    if good.dtype.hasobject:
        return good
    buffer = np.empty(good.nbytes + 1, np.uint8)
    moved = np.ndarray(good.shape, good.dtype, buffer.data, 1)
    moved[...] = good
    return moved


def _read_only(good: np.ndarray, rng: Random) -> Any:
    frozen = good.copy()
    frozen.flags.writeable = False
    return frozen


def _other_bits(good: np.ndarray, rng: Random) -> Any:
    if good.dtype.kind in "OU" or not good.nbytes:
        return good
    changed = np.ascontiguousarray(good).copy()
    raw = changed.reshape(-1).view(np.uint8)
    for _ in range(rng.choice((1, 1, 2, 5))):
        raw[rng.randrange(raw.size)] ^= 1 << rng.randrange(8)
    return changed


def _extreme(good: np.ndarray, rng: Random) -> Any:
    if good.dtype.kind not in "iuf" or not good.size:
        return good
    changed = good.copy()
    if good.dtype.kind == "f":
        values: tuple[Any, ...] = (math.nan, math.inf, -math.inf, -1.0, 1e-45, 3e38, 0.0)
    else:
        limits = np.iinfo(good.dtype)
        values = (limits.min, limits.max, limits.max // 2 + 1, 0)
    value = rng.choice(values)
    if rng.random() < 0.5:
        changed[...] = value
    else:
        changed.flat[rng.randrange(changed.size)] = value
    return changed


def _random_bytes(good: np.ndarray, rng: Random) -> Any:
    if good.dtype.kind in "OU":
        return good
    raw = np.frombuffer(rng.randbytes(good.nbytes), np.uint8).copy()
    return raw.view(good.dtype).reshape(good.shape) if good.nbytes else good


def _subclass(good: np.ndarray, rng: Random) -> Any:
    if rng.random() < 0.5:
        return np.ma.masked_array(good, mask=np.arange(good.size).reshape(good.shape) % 2 == 0)
    return good.view(np.recarray) if good.dtype.kind != "O" else good


def _no_array(good: np.ndarray, rng: Random) -> Any:
    choices: tuple[Callable[[], Any], ...] = (
        good.tolist,
        lambda: tuple(good.tolist()) if good.ndim else good.item(),
        good.tobytes,
        lambda: bytearray(good.tobytes()),
        lambda: np.ascontiguousarray(good).data,
        lambda: good.astype(object),
        lambda: any_value(rng),
        lambda: None,
    )
    try:
        return rng.choice(choices)()
    except (TypeError, ValueError, AttributeError):
        return None


_ARRAY_CHANGES: tuple[Callable[[np.ndarray, Random], Any], ...] = (
    _as_dtype, _swapped, _cut, _longer, _reshaped, _scalar, _huge, _repeated, _strided, _reversed,
    _fortran, _unaligned, _read_only, _other_bits, _other_bits, _extreme, _extreme, _random_bytes,
    _subclass, _no_array, lambda good, rng: any_array(rng), lambda good, rng: good,
)  # fmt: skip


def _overlapping(good: np.ndarray, rng: Random, others: Sequence[np.ndarray]) -> Any:
    """The same values in the memory of another array, if they fit there."""
    other = rng.choice(others)
    if not (isinstance(other, np.ndarray) and other.flags.c_contiguous and other.flags.writeable):
        return good
    if good.dtype.hasobject or other.dtype.hasobject or other.nbytes < good.nbytes:
        return good
    offset = rng.randrange(other.nbytes - good.nbytes + 1)
    raw = other.reshape(-1).view(np.uint8)
    moved = np.ndarray(good.shape, good.dtype, raw.data, offset if good.itemsize == 1 else 0)
    moved[...] = good
    return moved
