"""How long tests wait: limits end what hangs, and say nothing about the speed of a machine."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

# In seconds; as much as pytest gives a whole test.
PATIENCE = 600.0
# The slowest machine that the tests should pass on is this many times slower than the developers'.
SLOWEST_MACHINE = 8


def promised(seconds: float) -> float:
    """The limit for what the project promises to do in so many seconds on a usual machine."""
    return SLOWEST_MACHINE * seconds


def wait_until(
    condition: Callable[[], Value],
    what: str = "a condition",
    seconds: float = PATIENCE,
    interval: float = 0.05,
) -> Value:
    """Waits for a condition's first true value, which is returned; fails naming `what`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(interval)
    return value
