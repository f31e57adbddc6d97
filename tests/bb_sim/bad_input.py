"""Bad values of every kind for the tests of entry points, and what is expected of them."""

from collections.abc import Callable

import numpy as np
import pytest

import bb_sim
from bb_sim import GameBatch, State

B = 3
NO_INTEGERS = ("1", 1.5, float("nan"), None, [1], b"1", 1j, np.array([1, 2]))
BAD_INDICES = (-1, B, 2**31, -(2**31), 2**63, 2**64, -(2**100), *NO_INTEGERS)
BAD_SEEDS = (-1, 2**64, -(2**63), 10**30, *NO_INTEGERS)
BAD_PLAYERS = (-1, 2, 255, 2**32, 2**64, *NO_INTEGERS)
BAD_SCORINGS = ("", "Points", "point", 0, None, b"points", ["points"], float("nan"))
BAD_OPPONENTS = ("", "Random", "human", 0, -1, None, b"random", ["random"], 2**70)


def assert_refused(call: Callable[..., object], *args: object, **kwargs: object) -> None:
    """The call raises one of the exceptions of bad input, with a message."""
    with pytest.raises((ValueError, TypeError, IndexError, OverflowError)) as refusal:
        call(*args, **kwargs)
    assert str(refusal.value).strip()


def states_of(batch: GameBatch) -> list[State]:
    return [bb_sim.c_state_to_python(batch, index) for index in range(len(batch))]


def some_batch(num_players: int = 2, turns: int = 9) -> GameBatch:
    batch = GameBatch(B, num_players)
    batch.reset([5, 6, 7])
    for _ in range(turns):
        batch.step_random()
    return batch


def arrays_of_wrong_form(good: int) -> list:
    """Anything but B integers, with the good value wherever a value is needed."""
    return [
        None,
        good,
        "123",
        [],
        [good] * (B - 1),
        [good] * (B + 1),
        [[good]] * B,
        [good, [good], good],
        [good, None, good],
        [good, "0", good],
        [good, 0.5, good],
        np.full(B, good, np.float32),
        np.full(B, good, np.float64),
        np.full(B, good, np.complex128),
        np.full(B, True),
        np.full(B, "0"),
        np.zeros(B, "datetime64[s]"),
        np.full((B, 1), good),
        np.full((1, B), good),
        np.full(0, good),
        np.array(good),
        np.full(B, object()),
        {good: good},
    ]


def read_only(array: np.ndarray) -> np.ndarray:
    """The array itself, which is not to be written to any more."""
    array.flags.writeable = False
    return array
